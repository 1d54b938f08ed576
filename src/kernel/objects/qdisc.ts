import { carrierKey, type Netns } from "../link.ts";
import { type AttachedKind, inPhase } from "../object-kind.ts";
import { inside } from "../phrase.ts";
import { toolVerb, type Words } from "../script-tools.ts";

/** Shapes the egress of `link`. Equivalent to: `tc qdisc add dev L root tbf …` or `… root netem …` */
export interface Qdisc {
  readonly kind: "qdisc";
  readonly netns: Netns;
  readonly link: string;
  readonly shape:
    | {
        readonly type: "tbf";
        readonly rateBitsPerSecond: number;
        readonly burstBytes: number;
        readonly limitBytes: number;
      }
    | { readonly type: "netem"; readonly delayMs: number; readonly lossPercent: number };
}

export const qdisc = {
  phase: inPhase("queues"),
  namespaces: ({ netns }) => [netns],
  carrier: (object) => object,
  identity: (object) => `qdisc ${carrierKey(object)}`,
  describe: ({ shape, link, netns }) => `qdisc ${shape.type} dev ${link}${inside(netns)}`,
  script(tools, { verb, object: { netns, link, shape } }) {
    const words = verb === "remove" ? [] : shapeWords(shape);
    return [tools.tc(netns, "qdisc", toolVerb(verb), "dev", link, "root", ...words)];
  },
} as const satisfies AttachedKind<Qdisc>;

function shapeWords(shape: Qdisc["shape"]): Words {
  if (shape.type === "netem")
    return ["netem", "delay", `${shape.delayMs}ms`, "loss", `${shape.lossPercent}%`];
  const { rateBitsPerSecond, burstBytes, limitBytes } = shape;
  return ["tbf", "rate", `${rateBitsPerSecond}bit`, "burst", `${burstBytes}b`, "limit", `${limitBytes}b`];
}
