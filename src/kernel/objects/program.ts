import { describeGuard, type Guard } from "../guard.ts";
import { carrierKey, linkKey, type Netns } from "../link.ts";
import type { AttachedKind, SoleClaim } from "../object-kind.ts";
import { given, inside } from "../phrase.ts";
import { comment } from "../shell.ts";
import { arrivalKey, describeTunnel, type Tunnel, tunnelScript } from "../tunnel.ts";

/**
 * The `wire` program of datapath/ on the ingress of a device. On Netloom's own devices in `host` it is attached by a shared
 * block; elsewhere as a pinned tcx link, which nobody inside the namespace can detach, and which changes nothing of the
 * device. The program counts each frame and then passes it (`pass`), or sends it to the device `target` of the same
 * namespace (`redirect`), to the far end of that veth (`redirect-peer`) or into a tunnel (`encapsulate`). On the shared
 * tunnel device it takes frames out of a tunnel (`decapsulate`). It drops frames on a device that it does not know.
 */
export interface Program {
  readonly kind: "program";
  readonly netns: Netns;
  readonly link: string;
  readonly verdict: "pass" | "redirect" | "redirect-peer" | "encapsulate" | "decapsulate";
  readonly target?: string;
  /**
   * For `encapsulate`, on one of Netloom's devices in `host`. Non-plain traffic goes by the `external-vxlan` device of its
   * port.
   */
  readonly tunnel?: Tunnel;
  /**
   * For `redirect` to one of Netloom's devices: the MAC at the far end of the pair, if that end is in another namespace.
   * Frames to this MAC go straight to the far end; other frames go through the pair, so that the kernel classifies their
   * destination.
   */
  readonly mac?: string;
  /** The traffic that may enter. Absent: everything. */
  readonly guard?: Guard;
  /** For `decapsulate`, on an `external-vxlan` device: its UDP port. Each frame goes to the device of its tunnel. */
  readonly port?: number;
  /**
   * For a borrowed device: its index, so that the program never gets on another device of that name, and is found again
   * after a rename. A borrowed device must be Ethernet and must not be a member of a bridge, bond or VRF.
   */
  readonly index?: number;
}

export const program = {
  phase: { add: "programs", change: "switch-over", remove: "programs" },
  namespaces: ({ netns }) => [netns],
  carrier: (object) => object,
  identity: (object) => `program ${carrierKey(object)}`,
  // The program led to a device, not to whatever device now has its name.
  withoutLinks({ target, ...program }, links): Program {
    const isGone = target !== undefined && links.has(linkKey(program.netns, target));
    return { ...program, ...(target !== undefined && !isGone && { target }) };
  },
  claims,
  // Otherwise it would send packets by a device under deletion.
  isWithdrawn: ({ tunnel }) => tunnel !== undefined,
  // On a device without an owner the program belongs to the owner of its target.
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

/** Comments about guards: iproute2 has no command for them. */
function guardLines({ link, guard, tunnel }: Program): string[] {
  const line = (what: string, by: Guard): string =>
    comment(`${what} only what is sent ${describeGuard(by)} (eBPF)`);
  return [
    ...(guard ? [line(`into ${link} gets`, guard)] : []),
    ...(tunnel?.guard ? [line(`out of the tunnel of ${link} comes`, tunnel.guard)] : []),
  ];
}

/** A borrowed device has one program of Netloom: a second owner is refused, with the name of the first. */
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
