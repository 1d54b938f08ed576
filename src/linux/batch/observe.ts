/**
 * Observes namespaces: all objects with the owner mark, in the form that `add` takes. Omits objects that the kernel made
 * itself.
 */
import type { KernelObject, LinkEnd, ObserveQuery } from "../../kernel/kernel.ts";
import { lookUp } from "./links.ts";
import { decodeLink, type Link } from "../netlink/link-decode.ts";
import { dumpLinks } from "../netlink/link.ts";
import { LINUX_KINDS } from "../objects.ts";
import { doomedGroup } from "./reaper.ts";
import { farEnd, isOurPair } from "../devices/veth-peer.ts";
import type { ObserveContext, NetnsView } from "./view.ts";

/** NOT_FOUND if a namespace does not exist. A veth pair is reported once, even if both of its ends are queried. */
export function observe(context: ObserveContext, queries: readonly ObserveQuery[]): KernelObject[] {
  const found = queries.map((query) => viewOf(context, query));
  const farEnds = new Map<Link, LinkEnd>();
  for (const view of found)
    for (const link of view.links) {
      const far = isOurPair(context.mark, link) ? farEnd(context, found, view, link) : undefined;
      if (far) farEnds.set(link, far);
    }
  const seen = new Set<number>();
  return found
    .map((view) => withPairs(view, { farEnds, seen, isPair: (link) => isOurPair(context.mark, link) }))
    .flatMap((view) => LINUX_KINDS.flatMap((kind): KernelObject[] => kind.observe(context, view)));
}

function viewOf({ places, mark, onDoomed }: ObserveContext, query: ObserveQuery): NetnsView {
  const place = places.of(query.netns);
  const found = query.links
    ? [...new Set(query.links)].map((name) => lookUp(place, name)).filter((link) => link !== undefined)
    : place.socket.dump(dumpLinks(), (message) => decodeLink(message));
  const links = found.filter((link) => link.group !== doomedGroup(mark.group));
  if (links.length < found.length) onDoomed?.(place);
  return {
    place,
    netns: query.netns,
    names: query.links && new Set(query.links),
    nearEndsOnly: query.nearEndsOnly === true,
    ...indexed(links),
    pairs: new Map(),
    seen: {},
  };
}

interface Pairing {
  readonly farEnds: ReadonlyMap<Link, LinkEnd>;
  /** Indexes of devices whose pair is already reported. */
  readonly seen: Set<number>;
  readonly isPair: (link: Link) => boolean;
}

/** The view without ends of vanishing pairs, and with the pairs that no earlier view has. */
function withPairs(view: NetnsView, { farEnds, seen, isPair }: Pairing): NetnsView {
  const links = view.links.filter((link) => !isPair(link) || farEnds.has(link));
  const pairs = new Map<Link, LinkEnd>();
  for (const link of links) {
    const far = farEnds.get(link);
    if (!far || seen.has(link.index)) continue;
    seen.add(link.lowerIndex ?? 0);
    pairs.set(link, far);
  }
  return { ...view, ...indexed(links), pairs };
}

function indexed(links: readonly Link[]): Pick<NetnsView, "links" | "byIndex"> {
  return { links, byIndex: new Map(links.map((link) => [link.index, link])) };
}
