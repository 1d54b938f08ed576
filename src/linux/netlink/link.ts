/** Network devices: `ifinfomsg` and IFLA attributes. Source: include/uapi/linux/if_link.h, rtnetlink.h, veth.h */
import assert from "node:assert/strict";
import type { LinkEnd, Vxlan } from "../../kernel/kernel.ts";
import * as k from "./constants.ts";
import { change, dump, MessageWriter } from "./message-writer.ts";

/** A device to make. Its index may be any free number in its namespace. */
export interface NewLink extends Pick<LinkEnd, "name" | "mac" | "mtuBytes"> {
  readonly index: number;
  readonly group: number;
  /** An open descriptor of the namespace to make it in. Default: that of the socket. */
  readonly netnsFd?: number;
}

/** Changes of an existing device. Absent properties stay. */
export interface LinkChange {
  readonly name?: string;
  readonly mac?: string;
  readonly mtuBytes?: number;
  readonly group?: number;
  /** At most 255 bytes; an empty string removes it. */
  readonly alias?: string;
  readonly up?: boolean;
  /** IN6_ADDR_GEN_MODE_*. The kernel applies it after `up`: send it in an earlier message. */
  readonly addrGenMode?: number;
  readonly netnsFd?: number;
}

/**
 * Makes both ends of a veth pair, each in its namespace, both down (the kernel refuses a peer that is up). The kernel
 * silently ignores alias and address generation mode here. One queue each instead of one for each processor: frames do not
 * wait in queues of a veth, but each queue takes 20 µs to make, and memory.
 * Equivalent to: `ip link add A index I group G address M mtu U numtxqueues 1 numrxqueues 1 netns NA type veth peer name B
 * …`
 */
export function newVeth(link: NewLink, peer: NewLink): Uint8Array {
  return newLink(link, "veth", (m) => {
    m.attribute(k.VETH_INFO_PEER, () => {
      ifinfomsg(m, { index: peer.index });
      newLinkAttributes(m, peer, "veth");
    });
  });
}

/**
 * Makes a VXLAN device whose UDP socket stays in the namespace of the netlink socket: learning off, DF set. EEXIST: the VNI
 * is taken on this port and address family, in the namespace of the socket.
 * Equivalent to: `ip link add N … type vxlan id VNI local L remote R dstport P nolearning df set udp6zerocsumrx`
 */
export function newVxlan(link: NewLink, vxlan: Pick<Vxlan, "vni" | "local" | "remote" | "port">): Uint8Array {
  return newLink(link, "vxlan", (m) => {
    m.attributeU8(k.IFLA_VXLAN_DF, k.VXLAN_DF_SET);
    m.attributeU8(k.IFLA_VXLAN_UDP_ZERO_CSUM6_RX, 1);
    m.attributeU32(k.IFLA_VXLAN_ID, vxlan.vni);
    vxlanAddresses(m, vxlan);
    m.attributeU8(k.IFLA_VXLAN_LEARNING, 0);
    m.attribute(k.IFLA_VXLAN_PORT, () => m.be16(vxlan.port));
  });
}

/**
 * Makes a VXLAN device in metadata mode. EEXIST: the namespace of the socket has one for this port.
 * Equivalent to: `ip link add N … type vxlan external dstport P nolearning udp6zerocsumrx`
 */
export function newExternalVxlan(link: NewLink, port: number): Uint8Array {
  return newLink(link, "vxlan", (m) => {
    m.attributeU8(k.IFLA_VXLAN_LEARNING, 0);
    m.attribute(k.IFLA_VXLAN_PORT, () => m.be16(port));
    m.attributeU8(k.IFLA_VXLAN_COLLECT_METADATA, 1);
    m.attributeU8(k.IFLA_VXLAN_UDP_ZERO_CSUM6_RX, 1);
  });
}

/** Equivalent to: `ip link set dev L [name N] [address M] [mtu U] [group G] [alias A] [up|down] [addrgenmode X]` */
export function changeLink(index: number, to: LinkChange): Uint8Array {
  const m = change(k.RTM_NEWLINK);
  ifinfomsg(m, { index, ...(to.up !== undefined && { up: to.up }) });
  if (to.mac !== undefined) m.attributeMac(k.IFLA_ADDRESS, to.mac);
  if (to.mtuBytes !== undefined) m.attributeU32(k.IFLA_MTU, to.mtuBytes);
  if (to.group !== undefined) m.attributeU32(k.IFLA_GROUP, to.group);
  if (to.alias !== undefined) m.attributeText(k.IFLA_IFALIAS, to.alias);
  if (to.netnsFd !== undefined) m.attributeU32(k.IFLA_NET_NS_FD, to.netnsFd);
  if (to.name !== undefined) linkName(m, to.name);
  const { addrGenMode } = to;
  if (addrGenMode !== undefined) {
    m.attribute(k.IFLA_AF_SPEC, () =>
      m.attribute(k.AF_INET6, () => m.attributeU8(k.IFLA_INET6_ADDR_GEN_MODE, addrGenMode)),
    );
  }
  return m.finish();
}

/**
 * Changes the addresses of a VXLAN device without interruption. The address family cannot change.
 * Equivalent to: `ip link set dev L type vxlan id VNI local L remote R`
 */
export function changeVxlan(index: number, vxlan: Pick<Vxlan, "vni" | "local" | "remote">): Uint8Array {
  const m = change(k.RTM_NEWLINK);
  ifinfomsg(m, { index });
  linkInfo(m, "vxlan", () => {
    m.attributeU32(k.IFLA_VXLAN_ID, vxlan.vni);
    vxlanAddresses(m, vxlan);
  });
  return m.finish();
}

/** Equivalent to: `ip link delete dev L`. Takes 20 ms or more. */
export function deleteLink(index: number): Uint8Array {
  assert(index > 0);
  const m = change(k.RTM_DELLINK);
  ifinfomsg(m, { index });
  return m.finish();
}

/**
 * Removes every device of a group in the namespace of the socket at once. ENODEV: the group is empty.
 * Equivalent to: `ip link delete group G`
 */
export function deleteLinkGroup(group: number): Uint8Array {
  assert(group > 0, "group 0 is every device that has no group");
  const m = change(k.RTM_DELLINK);
  ifinfomsg(m, { index: 0 });
  m.attributeU32(k.IFLA_GROUP, group);
  return m.finish();
}

export interface LinkQuery {
  /** Queries the namespace with this number in the namespace of the socket. */
  readonly targetNetnsid?: number;
  /** Includes statistics in the answer. Default: false. */
  readonly stats?: boolean;
}

/** Queries one device, answered by RTM_NEWLINK. Equivalent to: `ip link show dev L` */
export function getLink(link: number | string, query: LinkQuery = {}): Uint8Array {
  const m = new MessageWriter(k.RTM_GETLINK, 0);
  ifinfomsg(m, { index: typeof link === "number" ? link : 0 });
  if (typeof link === "string") linkName(m, link);
  linkQuery(m, query);
  return m.finish();
}

/**
 * Lists all devices, or those of one kind. The kernel cannot filter by group.
 * Equivalent to: `ip link show [type K]`
 */
export function dumpLinks(query: LinkQuery & { readonly kind?: string } = {}): Uint8Array {
  const m = dump(k.RTM_GETLINK);
  ifinfomsg(m, { index: 0 });
  linkQuery(m, query);
  if (query.kind !== undefined) linkInfo(m, query.kind);
  return m.finish();
}

function linkQuery(m: MessageWriter, query: LinkQuery): void {
  if (query.stats !== true) m.attributeU32(k.IFLA_EXT_MASK, k.RTEXT_FILTER_SKIP_STATS);
  const { targetNetnsid } = query;
  if (targetNetnsid !== undefined) m.attribute(k.IFLA_TARGET_NETNSID, () => m.i32(targetNetnsid));
}

function newLink(link: NewLink, kind: string, data?: (m: MessageWriter) => void): Uint8Array {
  const m = change(k.RTM_NEWLINK, k.NLM_F_CREATE | k.NLM_F_EXCL);
  ifinfomsg(m, { index: link.index });
  newLinkAttributes(m, link, kind);
  linkInfo(m, kind, data);
  return m.finish();
}

function newLinkAttributes(m: MessageWriter, link: NewLink, kind: string): void {
  m.attributeU32(k.IFLA_GROUP, link.group);
  m.attributeMac(k.IFLA_ADDRESS, link.mac);
  m.attributeU32(k.IFLA_MTU, link.mtuBytes);
  if (kind === "veth") m.attributeU32(k.IFLA_NUM_TX_QUEUES, 1).attributeU32(k.IFLA_NUM_RX_QUEUES, 1);
  if (link.netnsFd !== undefined) m.attributeU32(k.IFLA_NET_NS_FD, link.netnsFd);
  linkName(m, link.name);
}

function linkInfo(m: MessageWriter, kind: string, data?: (m: MessageWriter) => void): void {
  m.attribute(k.IFLA_LINKINFO, () => {
    m.attributeText(k.IFLA_INFO_KIND, kind);
    if (data) m.attribute(k.IFLA_INFO_DATA, () => data(m));
  });
}

function vxlanAddresses(m: MessageWriter, vxlan: Pick<Vxlan, "local" | "remote">): void {
  const isV6 = vxlan.local.includes(":");
  assert(vxlan.remote.includes(":") === isV6, "local and remote address are of different families");
  m.attributeIp(isV6 ? k.IFLA_VXLAN_LOCAL6 : k.IFLA_VXLAN_LOCAL, vxlan.local);
  m.attributeIp(isV6 ? k.IFLA_VXLAN_GROUP6 : k.IFLA_VXLAN_GROUP, vxlan.remote);
}

function linkName(m: MessageWriter, name: string): void {
  assert(name !== "" && Buffer.byteLength(name) < k.IFNAMSIZ, `not a device name: ${name}`);
  m.attributeString(k.IFLA_IFNAME, name);
}

/** `u8 family | u8 pad | u16 type | i32 index | u32 flags | u32 change` */
function ifinfomsg(m: MessageWriter, link: { readonly index: number; readonly up?: boolean }): void {
  m.u8(k.AF_UNSPEC).u8(0).u16(0).i32(link.index);
  m.u32(link.up === true ? k.IFF_UP : 0).u32(link.up === undefined ? 0 : k.IFF_UP);
}
