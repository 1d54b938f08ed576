/** A route with its next hops and MTU. Source: include/uapi/linux/rtnetlink.h */
import { formatIp } from "../../net/ip.ts";
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

export interface RouteHop {
  readonly linkIndex: number;
  readonly via?: string;
}

export interface RouteHops {
  /**
   * The next hops that the kernel uses now. Empty for an entry that names only a next-hop object (nexthop_compat_mode 0).
   */
  readonly hops: readonly RouteHop[];
  /** RTAX_MTU, locked or not. */
  readonly mtuBytes?: number;
}

/** Reads RTM_NEWROUTE as an answer to `getRoute`. Throws DecodeError. */
export function decodeHops(message: NetlinkMessage): RouteHops {
  const header = new Struct("route", message.body, 12);
  const attributes = readAttributes("route", message.body, 12);
  const several = attributes.bytes(k.RTA_MULTIPATH);
  const linkIndex = attributes.u32(k.RTA_OIF);
  const isDead = (header.u32(8) & k.RTNH_F_DEAD) !== 0;
  const mtuBytes = attributes.nested(k.RTA_METRICS)?.u32(k.RTAX_MTU);
  const single = linkIndex === undefined || isDead ? [] : [hop(linkIndex, attributes)];
  return {
    hops: several ? severalHops(several) : single,
    ...present("mtuBytes", mtuBytes === 0 ? undefined : mtuBytes),
  };
}

/** `struct rtnexthop`: `u16 length | u8 flags | u8 weight - 1 | i32 index`, then attributes; aligned to 4 bytes. */
function severalHops(bytes: Uint8Array): RouteHop[] {
  const hops: RouteHop[] = [];
  for (let offset = 0; offset < bytes.length;) {
    const rest = bytes.subarray(offset);
    const header = new Struct("next hop", rest, 8);
    const length = header.u16(0);
    if (length < 8 || length > rest.length)
      throw new DecodeError("next hop", `length ${length}, ${rest.length} bytes left`);
    if ((header.u8(2) & k.RTNH_F_DEAD) === 0)
      hops.push(hop(header.i32(4), readAttributes("next hop", rest.subarray(0, length), 8)));
    offset += Math.ceil(length / 4) * 4;
  }
  return hops;
}

function hop(linkIndex: number, attributes: Attributes): RouteHop {
  return { linkIndex, ...present("via", attributes.ip(k.RTA_GATEWAY) ?? otherFamily(attributes)) };
}

/** `struct rtvia`: `u16 family | address`, for a router of the other address family. */
function otherFamily(attributes: Attributes): string | undefined {
  const bytes = attributes.bytes(k.RTA_VIA);
  return bytes && formatIp(ipOf("router", bytes.subarray(2)));
}
