/** Turns the kernel's notifications into events. */
import type { KernelEvent, Netns } from "../../kernel/kernel.ts";
import * as k from "../netlink/constants.ts";
import { decodeLink } from "../netlink/link-decode.ts";
import type { NetlinkMessage } from "../netlink/message-reader.ts";

export class LinkEvents {
  readonly #doomedGroup: number;
  /** Doomed devices whose removal was told, by namespace and index. */
  readonly #told = new Set<string>();

  constructor(doomedGroup: number) {
    this.#doomedGroup = doomedGroup;
  }

  /** `undefined` for what is no event. A doomed device is removed once, be it when it is doomed or when it is freed. */
  eventOf(netns: Netns, message: NetlinkMessage): KernelEvent | undefined {
    switch (message.type) {
      case k.RTM_NEWLINK:
      case k.RTM_DELLINK:
        return this.#linkEvent(netns, message);
      case k.RTM_NEWADDR:
        return { type: "address", netns, change: "new" };
      case k.RTM_DELADDR:
        return { type: "address", netns, change: "removed" };
      default:
        return undefined;
    }
  }

  #linkEvent(netns: Netns, message: NetlinkMessage): KernelEvent | undefined {
    // A bridge tells of its ports in messages of its own family.
    if (message.body[0] !== k.AF_UNSPEC) return undefined;
    const { index, name, group } = decodeLink(message);
    const isGone = message.type === k.RTM_DELLINK;
    if (group !== this.#doomedGroup)
      return { type: "link", netns, link: name, change: isGone ? "removed" : "new" };
    const key = `${netns} ${index}`;
    const wasTold = this.#told.has(key);
    if (isGone) this.#told.delete(key);
    else this.#told.add(key);
    return wasTold ? undefined : { type: "link", netns, link: name, change: "removed" };
  }
}
