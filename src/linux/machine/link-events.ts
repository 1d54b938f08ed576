/**
 * Turns the kernel's notifications of devices into events. It remembers the reported properties of each device, so that a
 * notification that changes none gives no event, and a rename gives both names.
 */
import type { LinkEvent, LinkFacts, Netns } from "../../kernel/kernel.ts";
import * as k from "../netlink/constants.ts";
import { decodeLink, type Link } from "../netlink/link-decode.ts";
import { type NetlinkMessage, Struct } from "../netlink/message-reader.ts";

/** A namespace in notifications: its number, or the socket's own. */
export type Nsid = number | "own";

/** `ifi_change` of a new device. */
const ALL_IS_NEW = 0xffffffff;

interface Known {
  readonly name: string;
  readonly facts: LinkFacts;
  /** All reported properties. */
  readonly digest: string;
  /** Removed by Netloom, and waiting for the kernel to free it. */
  readonly isDoomed: boolean;
}

/** The changes of a device since the last `flush`. */
interface News {
  readonly netns: Netns;
  readonly before: Known | undefined;
  now: Known;
  isNew: boolean;
  isGone: boolean;
  wentDown: boolean;
}

export class LinkEvents {
  readonly #group: number;
  readonly #doomedGroup: number;
  readonly #known = new Map<Nsid, Map<number, Known>>();
  readonly #news = new Map<string, News>();

  constructor(groups: { readonly ours: number; readonly doomed: number }) {
    this.#group = groups.ours;
    this.#doomedGroup = groups.doomed;
  }

  /** Takes RTM_NEWLINK or RTM_DELLINK. `isOwn`: a batch of this kernel may have caused it. */
  take(
    { nsid, netns }: { readonly nsid: Nsid; readonly netns: Netns },
    message: NetlinkMessage,
    isOwn: boolean,
  ): void {
    // A bridge reports its ports in messages of its own family.
    if (message.body[0] !== k.AF_UNSPEC) return;
    const link = decodeLink(message);
    const now = this.#read(link);
    const links = this.#known.get(nsid) ?? new Map<number, Known>();
    this.#known.set(nsid, links);
    const before = links.get(link.index);
    const isGone = message.type === k.RTM_DELLINK;
    if (isGone) links.delete(link.index);
    else links.set(link.index, now);
    const key = `${nsid} ${link.index}`;
    const news = this.#news.get(key) ?? {
      netns,
      before,
      now,
      isNew: false,
      isGone: false,
      wentDown: false,
    };
    news.now = now;
    news.isGone = isGone;
    // RTM_DELLINK has this value, too.
    news.isNew ||= !isGone && new Struct("link", message.body, 16).u32(12) === ALL_IS_NEW;
    news.wentDown ||= !isOwn && news.before?.facts.isUp === true && !now.facts.isUp;
    this.#news.set(key, news);
  }

  /** The events of all notifications since the last call: at most one for each device. */
  flush(): LinkEvent[] {
    if (this.#news.size === 0) return [];
    const events = [...this.#news.values()].flatMap((news) => eventOf(news) ?? []);
    this.#news.clear();
    return events;
  }

  /** The known state of a device by its index. */
  find(nsid: Nsid, index: number): Pick<Known, "name" | "facts" | "isDoomed"> | undefined {
    return this.#known.get(nsid)?.get(index);
  }

  /** The namespace is gone. */
  forget(nsid: Nsid): void {
    this.#known.delete(nsid);
  }

  /** Forgets all states, because notifications were lost or not requested. */
  forgetAll(): void {
    this.#known.clear();
  }

  #read(link: Link): Known {
    const { name, mac, mtuBytes, flags, group, alias = "", master = 0 } = link;
    const facts: LinkFacts = {
      ...(mac !== undefined && { mac }),
      mtuBytes,
      isUp: (flags & k.IFF_UP) !== 0,
      isOurs: group === this.#group,
      alias,
    };
    const seen = flags & (k.IFF_UP | k.IFF_LOWER_UP);
    return {
      name,
      facts,
      digest: [name, mac, mtuBytes, seen, master, group, alias].join("\0"),
      isDoomed: group === this.#doomedGroup,
    };
  }
}

/**
 * `undefined` if nothing has changed. A doomed device is reported as removed once: when it is doomed or when it is freed.
 */
function eventOf({ netns, before, now, isNew, isGone, wentDown }: News): LinkEvent | undefined {
  const wasThere = before !== undefined && !before.isDoomed;
  const { name: link, facts } = now;
  if (isGone || now.isDoomed) {
    // The removal of an unknown device is reported, unless the device was also added in between.
    if (!wasThere && (before !== undefined || isNew)) return undefined;
    return { type: "link", netns, link: before?.name ?? link, change: "removed" };
  }
  if (before?.isDoomed === true || (before === undefined && isNew))
    return { type: "link", netns, link, change: "new", facts };
  if (before?.digest === now.digest && !wentDown) return undefined;
  return {
    type: "link",
    netns,
    link,
    change: "changed",
    facts,
    ...(before !== undefined && before.name !== link && { formerly: before.name }),
    ...(wentDown && facts.isUp && { wentDown: true as const }),
  };
}
