import { carrierKey, type Netns } from "../link.ts";
import { type AttachedKind, inPhase } from "../object-kind.ts";
import { inside } from "../phrase.ts";

/** The administrative state. A separate object, because the objects that guard a device must be there before it is up. */
export interface Up {
  readonly kind: "up";
  readonly netns: Netns;
  readonly link: string;
  /** Only in observed objects: the kernel's link-local address of the device, or its on-link route, was removed. */
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
