import { familyOf } from "../../net/ip.ts";
import { carrierKey, ipv4Of, type Netns } from "../link.ts";
import { type AttachedKind, inPhase } from "../object-kind.ts";
import { inside } from "../phrase.ts";
import { toolVerb } from "../script-tools.ts";

/** A permanent neighbour. Equivalent to: `ip neighbor add A lladdr M dev L nud permanent` */
export interface Neighbor {
  readonly kind: "neighbor";
  readonly netns: Netns;
  readonly link: string;
  readonly address: string;
  readonly mac: string;
}

export const neighbor = {
  phase: inPhase("neighbors"),
  namespaces: ({ netns }) => [netns],
  carrier: (object) => object,
  identity: (object) => `neighbor ${carrierKey(object)} ${object.address}`,
  lostWith: (object) => (familyOf(object.address) === 4 ? [ipv4Of(object)] : []),
  describe: ({ address, mac, link, netns }) =>
    `neighbor ${address} lladdr ${mac} dev ${link}${inside(netns)}`,
  script(tools, { verb, object: { netns, address, mac, link } }) {
    const words = ["neighbor", toolVerb(verb), address];
    if (verb === "remove") return [tools.ip(netns, ...words, "dev", link)];
    const rest = ["lladdr", mac, "dev", link, "nud", "permanent", "protocol", tools.protocol];
    return [tools.ip(netns, ...words, ...rest)];
  },
} as const satisfies AttachedKind<Neighbor>;
