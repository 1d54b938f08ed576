import { type LinkEnd, linkKey } from "../link.ts";
import { type DeviceKind, nameClaim } from "../object-kind.ts";
import { inside } from "../phrase.ts";

/** Equivalent to: `ip link add A netns NA … type veth peer name B netns NB …` */
export interface Veth {
  readonly kind: "veth";
  readonly ends: readonly [LinkEnd, LinkEnd];
}

export const veth = {
  isDevice: true,
  infoKind: "veth",
  usesSettings: true,
  ends: ({ ends }) => ends,
  withEnds: (device, [a = device.ends[0], b = device.ends[1]]) => ({ ...device, ends: [a, b] }),
  namespaces: ({ ends }) => ends.map(({ netns }) => netns),
  identity: ({ ends }) => `veth ${ends.map(keyOf).sort().join(" ")}`,
  normal: ({ kind, ends }) => ({ kind, ends: [...ends].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1)) }),
  claims: ({ ends }) => ends.map(nameClaim),
  describe: ({ ends }) => `veth ${ends.map(({ name, netns }) => `${name}${inside(netns)}`).join(" and ")}`,
  script(tools, step) {
    const { ends } = step.object;
    if (step.verb === "change") return tools.changeEnds(ends, step.from.ends);
    if (step.verb === "remove") return tools.removeDevice(ends[0]);
    return tools.addDevice(ends, { type: "veth", each: " numtxqueues 1 numrxqueues 1" });
  },
} as const satisfies DeviceKind<Veth>;

function keyOf({ netns, name }: LinkEnd): string {
  return linkKey(netns, name);
}
