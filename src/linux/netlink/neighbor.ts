/** Neighbours: `ndmsg` and NDA attributes. Source: include/uapi/linux/neighbour.h */
import { mustParseIp } from "../../net/ip.ts";
import type { Neighbor } from "../../kernel/kernel.ts";
import * as k from "./constants.ts";
import { DecodeError, type NetlinkMessage, present, readAttributes, Struct } from "./message-reader.ts";
import { change, dump, type MessageWriter } from "./message-writer.ts";

export interface NeighborMessage extends Pick<Neighbor, "address" | "mac"> {
  readonly linkIndex: number;
  /** The creator of the neighbour (NDA_PROTOCOL); 0 is unknown. */
  readonly protocol: number;
}

/** A neighbour in the kernel. The kernel may have learned it, or may not know its MAC. */
export interface ObservedNeighbor extends Omit<NeighborMessage, "mac"> {
  readonly mac?: string;
  /** NUD_*; Netloom's are NUD_PERMANENT. */
  readonly state: number;
}

/** Equivalent to: `ip neighbor add A lladdr M dev L nud permanent proto N` */
export function newNeighbor(neighbor: NeighborMessage): Uint8Array {
  return neighborMessage(change(k.RTM_NEWNEIGH, k.NLM_F_CREATE | k.NLM_F_EXCL), neighbor);
}

/** Also takes over an entry that the kernel has learned. Equivalent to: `ip neighbor replace …` */
export function replaceNeighbor(neighbor: NeighborMessage): Uint8Array {
  return neighborMessage(change(k.RTM_NEWNEIGH, k.NLM_F_CREATE | k.NLM_F_REPLACE), neighbor);
}

/** ENOENT: there is none. Equivalent to: `ip neighbor delete A dev L` */
export function deleteNeighbor(neighbor: Pick<NeighborMessage, "address" | "linkIndex">): Uint8Array {
  const { address, linkIndex } = neighbor;
  return neighborMessage(change(k.RTM_DELNEIGH), { address, linkIndex });
}

/**
 * Lists the neighbours of both families. Filtering needs NETLINK_GET_STRICT_CHK. Equivalent to: `ip neighbor show [dev L]`
 */
export function dumpNeighbors(linkIndex?: number): Uint8Array {
  const m = dump(k.RTM_GETNEIGH);
  ndmsg(m, { family: k.AF_UNSPEC, linkIndex: 0, state: 0 });
  if (linkIndex !== undefined) m.attributeU32(k.NDA_IFINDEX, linkIndex);
  return m.finish();
}

/** Reads RTM_NEWNEIGH and RTM_DELNEIGH of an IP family. Throws DecodeError, also for an FDB entry. */
export function decodeNeighbor(message: NetlinkMessage): ObservedNeighbor {
  const header = new Struct("neighbor", message.body, 12);
  const attributes = readAttributes("neighbor", message.body, 12);
  const address = attributes.ip(k.NDA_DST);
  if (address === undefined || header.u8(0) === k.AF_BRIDGE) throw new DecodeError("neighbor", "no address");
  return {
    linkIndex: header.i32(4),
    address,
    ...present("mac", attributes.mac(k.NDA_LLADDR)),
    protocol: attributes.u8(k.NDA_PROTOCOL) ?? 0,
    state: header.u16(8),
  };
}

function neighborMessage(
  m: MessageWriter,
  neighbor: Pick<NeighborMessage, "address" | "linkIndex"> & Partial<NeighborMessage>,
): Uint8Array {
  const family = mustParseIp(neighbor.address).family === 4 ? k.AF_INET : k.AF_INET6;
  ndmsg(m, { family, linkIndex: neighbor.linkIndex, state: k.NUD_PERMANENT });
  if (neighbor.protocol !== undefined) m.attributeU8(k.NDA_PROTOCOL, neighbor.protocol);
  m.attributeIp(k.NDA_DST, neighbor.address);
  if (neighbor.mac !== undefined) m.attributeMac(k.NDA_LLADDR, neighbor.mac);
  return m.finish();
}

interface Ndmsg {
  readonly family: number;
  readonly linkIndex: number;
  readonly state: number;
}

/** `u8 family | u8 | u16 | i32 index | u16 state | u8 flags | u8 type`; no flags */
function ndmsg(m: MessageWriter, n: Ndmsg): void {
  m.u8(n.family).u8(0).u16(0).i32(n.linkIndex).u16(n.state).u8(0).u8(0);
}
