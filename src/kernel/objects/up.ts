import { carrierKey, type Netns } from "../link.ts";
import { type AttachedKind, inPhase } from "../object-kind.ts";
import { inside } from "../phrase.ts";

/** The administrative state. An object of its own, because what guards a device has to be there before it is up. */
export interface Up {
  readonly kind: "up";
  readonly netns: Netns;
  readonly link: string;
  /** Only as it is observed: the link-local address that the kernel makes for it, or the route to its neighbours, was taken away. */
  readonly lacksLinkLocal?: true;
}

export const up = {
  phase: inPhase("up"),
  namespaces: ({ netns }) => [netns],
  carrier: (object) => object,
  identity: (object) => `up ${carrierKey(object)}`,
  isDeniedBy: (_object, event) => event.type === "link" && event.facts?.isUp === false,
  describe: ({ link, netns }) => `up ${link}${inside(netns)}`,
  script: (tools, { verb, object: { netns, link } }) => [
    tools.ip(netns, "link", "set", "dev", link, verb === "remove" ? "down" : "up"),
  ],
} as const satisfies AttachedKind<Up>;
