import { describeGuard, type Guard } from "../guard.ts";
import { carrierKey, linkKey, type Netns } from "../link.ts";
import type { AttachedKind, SoleClaim } from "../object-kind.ts";
import { given, inside } from "../phrase.ts";
import { comment } from "../shell.ts";
import { arrivalKey, describeTunnel, type Tunnel, tunnelScript } from "../tunnel.ts";

/**
 * The `wire` program of datapath/ on a device's ingress: on our own devices in `host` by a shared block, elsewhere as a pinned tcx
 * link, which nobody inside the namespace can take off, and which changes nothing of the device. It counts, then passes (`pass`), or hands the frame to the device `target` of the same namespace (`redirect`),
 * or to the far end of that veth (`redirect-peer`), or into a tunnel (`encapsulate`); on the device that tunnels share, out of one
 * (`decapsulate`). A frame on a device that the program does not know is dropped.
 */
export interface Program {
  readonly kind: "program";
  readonly netns: Netns;
  readonly link: string;
  readonly verdict: "pass" | "redirect" | "redirect-peer" | "encapsulate" | "decapsulate";
  readonly target?: string;
  /** Of `encapsulate`, on a device of ours in `host`. What is not plain goes by the `external-vxlan` device of its port. */
  readonly tunnel?: Tunnel;
  /**
   * Of `redirect` to a device of ours: the MAC at the far end of its pair, where that is in another namespace. Its frames take the short
   * cut into it; others go through the pair, which tells whom they are for.
   */
  readonly mac?: string;
  /** What may enter. Absent: everything. */
  readonly guard?: Guard;
  /** Of `decapsulate`, on an `external-vxlan` device: its UDP port. Each frame goes where its tunnel ends. */
  readonly port?: number;
  /**
   * Of a borrowed device, one that is not ours: its index, so that the program never comes to another one of that name, and is
   * found again under another name. It can be put on Ethernet devices that are members of nothing.
   */
  readonly index?: number;
}

export const program = {
  phase: { add: "programs", change: "switch-over", remove: "programs" },
  namespaces: ({ netns }) => [netns],
  carrier: (object) => object,
  identity: (object) => `program ${carrierKey(object)}`,
  // It led to a device, not to a name: whatever has that name by now.
  withoutLinks({ target, ...program }, links): Program {
    const isGone = target !== undefined && links.has(linkKey(program.netns, target));
    return { ...program, ...(target !== undefined && !isGone && { target }) };
  },
  claims,
  // Packets would come for a device that is on its way out.
  isWithdrawn: ({ tunnel }) => tunnel !== undefined,
  // On a device that is nobody's it is theirs whose device it leads to.
  ownerKeys: (object) => [
    carrierKey(object),
    ...(object.target === undefined ? [] : [linkKey(object.netns, object.target)]),
  ],
  describe,
  script(tools, step) {
    const { verb, object } = step;
    const { netns, link, target, tunnel } = object;
    const from = verb === "change" ? step.from.tunnel : verb === "remove" ? tunnel : undefined;
    const checks = verb === "remove" ? [] : guardLines(object);
    if (tunnel ?? from)
      return [
        ...checks,
        ...tunnelScript(tools, { on: object, tunnel: verb === "remove" ? undefined : tunnel, from }),
      ];
    const about = comment(`add ${describe(object)} (eBPF; no command of iproute2 can do that)`);
    if (target === undefined) return verb === "remove" ? [] : [about, ...checks];
    if (verb === "remove") return [tools.tc(netns, "qdisc", "del", "dev", link, "clsact")];
    return [about, ...checks, ...tools.redirect(object, target, verb)];
  },
} as const satisfies AttachedKind<Program>;

/** No command of iproute2 checks what a side of a wire sends. */
function guardLines({ link, guard, tunnel }: Program): string[] {
  const line = (what: string, by: Guard): string =>
    comment(`${what} only what is sent ${describeGuard(by)} (eBPF)`);
  return [
    ...(guard ? [line(`into ${link} gets`, guard)] : []),
    ...(tunnel?.guard ? [line(`out of the tunnel of ${link} comes`, tunnel.guard)] : []),
  ];
}

/** A borrowed device has one program of ours: who wants a device that somebody has is told who that is. */
function claims({ index, link, netns, tunnel }: Program): SoleClaim[] {
  return [
    ...(index === undefined
      ? []
      : [{ key: `port ${carrierKey({ netns, link })}`, words: `the port ${link}` }]),
    ...(tunnel
      ? [{ key: `tunnel ${arrivalKey(tunnel)}`, words: `VNI ${tunnel.vni} from ${tunnel.remote}` }]
      : []),
  ];
}

function describe(object: Program): string {
  const { verdict, target, link, netns, tunnel } = object;
  if (tunnel) return describeTunnel(tunnel, object);
  return `program ${verdict}${given("to", target)} on ${link}${inside(netns)}`;
}
