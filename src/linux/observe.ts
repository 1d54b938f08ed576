/** Reads a namespace: everything with our mark, in the form in which `add` takes it. What the kernel made by itself is left out. */
import type { KernelObject, LinkEnd, Netns, ObserveQuery, OwnerMark } from "../kernel/kernel.ts";
import type { Action } from "./bpf/wire-map.ts";
import { lookUp } from "./links.ts";
import { decodeAddress, dumpAddresses } from "./netlink/address.ts";
import * as k from "./netlink/constants.ts";
import { decodeLink, type Link } from "./netlink/link-decode.ts";
import { dumpLinks } from "./netlink/link.ts";
import { decodeNeighbor, dumpNeighbors } from "./netlink/neighbor.ts";
import { decodeQdisc, dumpQdiscs, getQdisc } from "./netlink/qdisc.ts";
import { decodeRoute, dumpRoutes } from "./netlink/route.ts";
import { decodeRule, dumpRules } from "./netlink/rule.ts";
import type { Place, Places } from "./place.ts";
import { doomedGroup } from "./reaper.ts";
import { farEnd, hasFarEnd } from "./veth-peer.ts";
import type { Identity } from "./netns.ts";

export interface ObserveContext {
  readonly places: Places;
  readonly mark: OwnerMark;
  /** What the `wire` program does with what enters a device. */
  readonly programOf: (place: Place, linkIndex: number) => Action | undefined;
  /** Namespaces that were found before, for the far end of a veth that no query asks about. */
  readonly known: () => readonly Identity[];
  /** Called for a namespace that has devices which an earlier carrier left doomed. */
  readonly onDoomed?: (place: Place) => void;
}

/** What one query sees. */
export interface View {
  readonly place: Place;
  readonly netns: Netns;
  /** Absent: everything in the namespace. */
  readonly names: ReadonlySet<string> | undefined;
  /** The devices in question, without those that are doomed or about to vanish with the other end's namespace. */
  readonly links: readonly Link[];
  readonly byIndex: ReadonlyMap<number, Link>;
}

/** NOT_FOUND if a namespace is not there. A veth pair comes once, though both of its ends be asked about. */
export function observe(context: ObserveContext, queries: readonly ObserveQuery[]): KernelObject[] {
  const found = queries.map((query) => viewOf(context, query));
  const farEnds: FarEnds = new Map();
  for (const view of found)
    for (const link of view.links) {
      const far = isOurVeth(context, link) ? farEnd(context, found, view, link) : undefined;
      if (far) farEnds.set(link, far);
    }
  const views = found.map((view) => restrict(view, (link) => !isOurVeth(context, link) || farEnds.has(link)));
  const seen = new Set<number>();
  return views.flatMap((view) => [
    ...view.links.flatMap((link) => [
      ...device(context, view, link, farEnds, seen),
      ...program(context, view, link),
    ]),
    ...onDevices(context, view),
    ...routes(context, view),
    ...rules(context, view),
  ]);
}

/** True if the kernel, not we, found out about this neighbour. */
export function learnedNeighbor(place: Place, linkIndex: number, address: string): boolean {
  return place.socket
    .dump(dumpNeighbors(linkIndex), (message) => decodeNeighbor(message))
    .some((neighbor) => neighbor.address === address && (neighbor.state & k.NUD_PERMANENT) === 0);
}

function viewOf({ places, mark, onDoomed }: ObserveContext, query: ObserveQuery): View {
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
    links,
    byIndex: new Map(links.map((link) => [link.index, link])),
  };
}

type FarEnds = Map<Link, LinkEnd>;

function isOurVeth({ mark }: ObserveContext, { group, kind }: Link): boolean {
  return group === mark.group && kind === "veth";
}

function restrict(view: View, isIn: (link: Link) => boolean): View {
  const links = view.links.filter(isIn);
  return { ...view, links, byIndex: new Map(links.map((link) => [link.index, link])) };
}

function device(
  context: ObserveContext,
  view: View,
  link: Link,
  farEnds: FarEnds,
  seen: Set<number>,
): KernelObject[] {
  if (link.group !== context.mark.group || seen.has(link.index)) return [];
  const end = (link: Link): LinkEnd => linkEnd(view.netns, link);
  const far = farEnds.get(link);
  if (far) {
    seen.add(link.lowerIndex ?? 0);
    return [{ kind: "veth", ends: [end(link), far] }];
  }
  const { vxlan } = link;
  if (link.kind !== "vxlan" || vxlan?.local === undefined || vxlan.remote === undefined) return [];
  const { vni, local, remote, port } = vxlan;
  return [{ kind: "vxlan", ...end(link), vni, local, remote, port }];
}

/** A device as one end. */
export function linkEnd(netns: Netns, link: Link): LinkEnd {
  return {
    netns,
    name: link.name,
    mac: link.mac ?? "",
    mtuBytes: link.mtuBytes,
    alias: link.alias ?? "",
    ...(link.addrGenMode === k.IN6_ADDR_GEN_MODE_EUI64 && { linkLocal: true }),
  };
}

function program(context: ObserveContext, view: View, link: Link): KernelObject[] {
  const action = context.programOf(view.place, link.index);
  if (!action) return [];
  const target = targetOf(context, view, action.targetIfindex);
  const { verdict } = action;
  return [
    { kind: "program", netns: view.netns, link: link.name, verdict, ...(target !== undefined && { target }) },
  ];
}

/** Name of the device that a program leads to, if it is there and not about to vanish. */
function targetOf(context: ObserveContext, view: View, index: number | undefined): string | undefined {
  if (index === undefined) return undefined;
  const inView = view.byIndex.get(index);
  if (inView) return inView.name;
  const link = lookUp(view.place, index);
  if (!link || link.group === doomedGroup(context.mark.group)) return undefined;
  return isOurVeth(context, link) && !hasFarEnd(view.place, link) ? undefined : link.name;
}

function onDevices({ mark }: ObserveContext, view: View): KernelObject[] {
  const { netns, links, place } = view;
  const { socket } = place;
  const objects: KernelObject[] = [];
  const ours = links.filter((link) => link.group === mark.group);
  for (const link of ours) {
    if ((link.flags & k.IFF_UP) !== 0) objects.push({ kind: "up", netns, link: link.name });
  }
  const indexes = view.names ? links.map((link) => link.index) : [undefined];
  for (const index of indexes) {
    for (const { linkIndex, protocol, ...address } of socket.dump(dumpAddresses(index), decodeAddress)) {
      const link = view.byIndex.get(linkIndex);
      if (link && protocol === mark.protocol)
        objects.push({ kind: "address", netns, link: link.name, ...address });
    }
    const neighbors = socket.dump(dumpNeighbors(index), decodeNeighbor);
    for (const { linkIndex, protocol, state, address, mac } of neighbors) {
      const link = view.byIndex.get(linkIndex);
      const isOurs = protocol === mark.protocol && (state & k.NUD_PERMANENT) !== 0;
      if (link && isOurs && mac !== undefined)
        objects.push({ kind: "neighbor", netns, link: link.name, address, mac });
    }
  }
  if (ours.length > 0) objects.push(...qdiscs(view, ours));
  return objects;
}

function qdiscs({ names, netns, place: { socket } }: View, ours: readonly Link[]): KernelObject[] {
  const found = names
    ? ours.map((link) => socket.get(getQdisc(link.index), decodeQdisc, ["ENODEV", "ENOENT", "EINVAL"]))
    : socket.dump(dumpQdiscs(), decodeQdisc);
  return found.flatMap((qdisc) => {
    const link = ours.find(({ index }) => index === qdisc?.linkIndex);
    if (!link || !qdisc?.shape || qdisc.parent !== k.TC_H_ROOT) return [];
    return [{ kind: "qdisc", netns, link: link.name, shape: qdisc.shape }];
  });
}

function routes({ mark: { protocol } }: ObserveContext, view: View): KernelObject[] {
  const objects: KernelObject[] = [];
  for (const index of view.names ? view.links.map((link) => link.index) : [undefined]) {
    for (const family of [4, 6] as const) {
      const request = dumpRoutes({ family, protocol, ...(index !== undefined && { linkIndex: index }) });
      for (const found of view.place.socket.dump(request, decodeRoute)) {
        const { linkIndex, protocol: owner, type, isCloned, ...route } = found;
        const link = view.byIndex.get(linkIndex ?? 0);
        if (link && owner === protocol && type === k.RTN_UNICAST && !isCloned)
          objects.push({ kind: "route", netns: view.netns, link: link.name, ...route });
      }
    }
  }
  return objects;
}

/** With named links only the rules for what enters by these. */
function rules({ mark }: ObserveContext, { place, netns, names }: View): KernelObject[] {
  const objects: KernelObject[] = [];
  for (const family of [4, 6] as const) {
    for (const { protocol, action, ...rule } of place.socket.dump(dumpRules(family), decodeRule)) {
      const isOurs = protocol === mark.protocol && action === k.FR_ACT_TO_TBL;
      if (isOurs && (!names || names.has(rule.iif ?? ""))) objects.push({ kind: "rule", netns, ...rule });
    }
  }
  return objects;
}
