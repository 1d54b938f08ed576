/** Routes: `rtmsg` and RTA attributes. Source: include/uapi/linux/rtnetlink.h */
import {
  addressOf,
  formatIp,
  formatPrefix,
  type IpPrefix,
  mustParseIp,
  mustParsePrefix,
} from "../../net/ip.ts";
import type { Route } from "../../kernel/kernel.ts";
import * as k from "./constants.ts";
import {
  type Attributes,
  DecodeError,
  ipOf,
  type NetlinkMessage,
  present,
  readAttributes,
  Struct,
} from "./message-reader.ts";
import { change, dump, MessageWriter } from "./message-writer.ts";

/** A unicast route through one device. For the defaults of absent fields see `Route` in src/kernel/objects/route.ts. */
export interface RouteMessage extends Omit<Route, "kind" | "netns" | "link"> {
  readonly linkIndex: number;
  /** The creator of the route (RTPROT_*). */
  readonly protocol: number;
}

/** A route in the kernel. It may be of another type, or have no device, or several. */
export interface ObservedRoute extends Omit<RouteMessage, "linkIndex"> {
  readonly linkIndex?: number;
  /** RTN_*; Netloom's are RTN_UNICAST. */
  readonly type: number;
  /** A cached or learned clone, not part of the configuration. */
  readonly isCloned: boolean;
}

/** Equivalent to: `ip route add D [via V] dev L [table T] [metric M] [src S] [onlink] proto N` */
export function newRoute(route: RouteMessage): Uint8Array {
  const m = change(k.RTM_NEWROUTE, k.NLM_F_CREATE | k.NLM_F_EXCL);
  routeMessage(m, route, scopeOf(route));
  return m.finish();
}

/**
 * Changes next hop, device or source of the route with this destination, table and metric. Equivalent to: `ip route replace
 * …`
 */
export function replaceRoute(route: RouteMessage): Uint8Array {
  const m = change(k.RTM_NEWROUTE, k.NLM_F_CREATE | k.NLM_F_REPLACE);
  routeMessage(m, route, scopeOf(route));
  return m.finish();
}

/**
 * Removes the route only if all given fields match, including `protocol`. ESRCH: no such route. Equivalent to: `ip route
 * delete …`
 */
export function deleteRoute(route: RouteMessage): Uint8Array {
  const m = change(k.RTM_DELROUTE);
  routeMessage(m, route, k.RT_SCOPE_NOWHERE);
  return m.finish();
}

export interface RouteQuery {
  readonly family: 4 | 6;
  readonly table?: number;
  readonly linkIndex?: number;
  readonly protocol?: number;
}

/**
 * Lists routes. Filtering needs NETLINK_GET_STRICT_CHK. ENOENT: there is no such table, so there are no routes.
 * Equivalent to: `ip route show [table T] [dev L] [proto N]`, without a table: `table all`
 */
export function dumpRoutes(query: RouteQuery): Uint8Array {
  const m = dump(k.RTM_GETROUTE);
  rtmsg(m, {
    family: query.family,
    length: 0,
    table: 0,
    protocol: query.protocol ?? 0,
    scope: 0,
    type: 0,
    flags: 0,
  });
  if (query.table !== undefined) m.attributeU32(k.RTA_TABLE, query.table);
  if (query.linkIndex !== undefined) m.attributeU32(k.RTA_OIF, query.linkIndex);
  return m.finish();
}

/** Properties of a packet, besides its destination, that select its route. */
export interface RoutedBy {
  readonly from?: string | undefined;
  readonly udpPort?: number | undefined;
}

/**
 * Queries the route of a packet to `address` (with or without a prefix length): the path, with that address as destination;
 * or the entry of the table. Equivalent to: `ip route get [fibmatch] A [from S] [ipproto udp dport P]`
 */
export function getRoute(
  address: string,
  as: "path" | "entry" = "path",
  { from, udpPort }: RoutedBy = {},
): Uint8Array {
  const { family, bytes } = mustParseIp(addressOf(address));
  const m = new MessageWriter(k.RTM_GETROUTE, 0);
  const flags = as === "entry" ? k.RTM_F_FIB_MATCH : 0;
  const length = bytes.length * 8;
  const sourceLength = from === undefined ? 0 : length;
  rtmsg(m, { family, length, sourceLength, table: 0, protocol: 0, scope: 0, type: 0, flags });
  m.attribute(k.RTA_DST, () => m.bytes(bytes));
  if (from !== undefined) m.attributeIp(k.RTA_SRC, from);
  if (udpPort !== undefined) {
    m.attributeU8(k.RTA_IP_PROTO, k.IPPROTO_UDP);
    m.attribute(k.RTA_DPORT, () => m.be16(udpPort));
  }
  return m.finish();
}

/** Errnos of `getRoute` if no route leads to the address. */
export const NO_ROUTE: readonly string[] = ["ENETUNREACH", "EHOSTUNREACH", "EACCES", "EINVAL"];

/** Reads RTM_NEWROUTE and RTM_DELROUTE. Throws DecodeError. */
export function decodeRoute(message: NetlinkMessage): ObservedRoute {
  const header = new Struct("route", message.body, 12);
  const attributes = readAttributes("route", message.body, 12);
  const family = header.u8(0) === k.AF_INET6 ? 6 : 4;
  const table = attributes.u32(k.RTA_TABLE) ?? header.u8(4);
  const metric = attributes.u32(k.RTA_PRIORITY) ?? 0;
  return {
    destination: formatPrefix(destination(attributes, family, header.u8(1))),
    ...present("linkIndex", attributes.u32(k.RTA_OIF)),
    ...present("via", attributes.ip(k.RTA_GATEWAY)),
    ...present("onlink", (header.u32(8) & k.RTNH_F_ONLINK) === 0 ? undefined : true),
    ...present("table", table === k.RT_TABLE_MAIN ? undefined : table),
    ...present("metric", metric === defaultMetric(family) ? undefined : metric),
    ...present("source", attributes.ip(k.RTA_PREFSRC)),
    protocol: header.u8(5),
    type: header.u8(7),
    isCloned: (header.u32(8) & k.RTM_F_CLONED) !== 0,
  };
}

function destination(attributes: Attributes, family: 4 | 6, length: number): IpPrefix {
  const bytes = attributes.bytes(k.RTA_DST) ?? new Uint8Array(family === 4 ? 4 : 16);
  const address = ipOf("route destination", bytes);
  if (length > bytes.length * 8) throw new DecodeError("route destination", `prefix length ${length}`);
  return { address, length };
}

function defaultMetric(family: 4 | 6): number {
  return family === 4 ? 0 : 1024;
}

function scopeOf(route: RouteMessage): number {
  return route.via === undefined ? k.RT_SCOPE_LINK : k.RT_SCOPE_UNIVERSE;
}

/** `v4Scope`: IPv6 has no scopes. */
function routeMessage(m: MessageWriter, route: RouteMessage, v4Scope: number): void {
  const { address, length } = mustParsePrefix(route.destination);
  const table = route.table ?? k.RT_TABLE_MAIN;
  const { protocol } = route;
  const scope = address.family === 4 ? v4Scope : k.RT_SCOPE_UNIVERSE;
  const flags = route.onlink === true ? k.RTNH_F_ONLINK : 0;
  rtmsg(m, { family: address.family, length, table, protocol, scope, type: k.RTN_UNICAST, flags });
  m.attributeIp(k.RTA_DST, formatIp(address));
  if (route.via !== undefined) m.attributeIp(k.RTA_GATEWAY, route.via);
  if (table > 255) m.attributeU32(k.RTA_TABLE, table);
  if (route.metric !== undefined) m.attributeU32(k.RTA_PRIORITY, route.metric);
  if (route.source !== undefined) m.attributeIp(k.RTA_PREFSRC, route.source);
  m.attributeU32(k.RTA_OIF, route.linkIndex);
}

interface Rtmsg {
  readonly family: 4 | 6;
  readonly length: number;
  /** Default: 0. */
  readonly sourceLength?: number;
  readonly table: number;
  readonly protocol: number;
  readonly scope: number;
  readonly type: number;
  readonly flags: number;
}

/** `u8 family | u8 dst_len | u8 src_len | u8 tos | u8 table | u8 protocol | u8 scope | u8 type | u32 flags` */
function rtmsg(m: MessageWriter, r: Rtmsg): void {
  m.u8(r.family === 4 ? k.AF_INET : k.AF_INET6)
    .u8(r.length)
    .u8(r.sourceLength ?? 0)
    .u8(0);
  m.u8(r.table > 255 ? k.RT_TABLE_UNSPEC : r.table)
    .u8(r.protocol)
    .u8(r.scope)
    .u8(r.type)
    .u32(r.flags);
}
