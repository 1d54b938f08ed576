/** Addresses of devices: `ifaddrmsg` and IFA attributes. Source: include/uapi/linux/if_addr.h */
import { addressBits, addressOf, formatIp, mustParsePrefix } from "../../net/ip.ts";
import type { Address } from "../../kernel/kernel.ts";
import * as k from "./constants.ts";
import { DecodeError, ipOf, type NetlinkMessage, present, readAttributes, Struct } from "./message-reader.ts";
import { change, dump, type MessageWriter } from "./message-writer.ts";

export interface AddressMessage extends Pick<Address, "address" | "peer"> {
  readonly linkIndex: number;
  /** The creator of the address (IFA_PROTO, Linux 5.18); 0 is unknown. */
  readonly protocol: number;
}

/**
 * Adds an address, without duplicate address detection for IPv6. With `peer` the kernel makes the on-link route to the
 * peer.
 * Equivalent to: `ip address add A [peer P] dev L [nodad] proto N`
 */
export function newAddress(address: AddressMessage): Uint8Array {
  const m = change(k.RTM_NEWADDR, k.NLM_F_CREATE | k.NLM_F_EXCL);
  addressMessage(m, address, k.IFA_F_NODAD);
  return m.finish();
}

/** Equivalent to: `ip address delete A [peer P] dev L` */
export function deleteAddress(address: AddressMessage): Uint8Array {
  const m = change(k.RTM_DELADDR);
  addressMessage(m, address, 0);
  return m.finish();
}

/**
 * Lists the addresses of one device, or of all; of one family, or of both. Filtering needs NETLINK_GET_STRICT_CHK.
 * Equivalent to: `ip [-4|-6] address show [dev L]`
 */
export function dumpAddresses(linkIndex = 0, family?: 4 | 6): Uint8Array {
  const number = family === undefined ? k.AF_UNSPEC : family === 4 ? k.AF_INET : k.AF_INET6;
  return dump(k.RTM_GETADDR).u8(number).u8(0).u8(0).u8(0).u32(linkIndex).finish();
}

/** Reads RTM_NEWADDR and RTM_DELADDR. Throws DecodeError. */
export function decodeAddress(message: NetlinkMessage): AddressMessage {
  const header = new Struct("address", message.body, 8);
  const attributes = readAttributes("address", message.body, 8);
  // IPv4 always has both attributes; IPv6 has IFA_LOCAL only if there is a peer.
  const far = attributes.bytes(k.IFA_ADDRESS) ?? attributes.bytes(k.IFA_LOCAL);
  if (!far) throw new DecodeError("address", "there is none");
  const address = ipOf("address", attributes.bytes(k.IFA_LOCAL) ?? far);
  const local = formatIp(address);
  const remote = formatIp(ipOf("address", far));
  const length = header.u8(1);
  const hasPeer = local !== remote;
  return {
    linkIndex: header.u32(4),
    address: `${local}/${hasPeer ? addressBits(address.family) : length}`,
    ...present("peer", hasPeer ? `${remote}/${length}` : undefined),
    protocol: attributes.u8(k.IFA_PROTO) ?? 0,
  };
}

export interface AddressState {
  readonly linkIndex: number;
  /** Without prefix length. */
  readonly address: string;
  /** `tentative`: duplicate address detection is under way. `duplicate`: another host on the link has the address. */
  readonly state: "usable" | "tentative" | "duplicate";
}

/** Reads RTM_NEWADDR. Throws DecodeError. */
export function decodeAddressState(message: NetlinkMessage): AddressState {
  const { linkIndex, address: prefix } = decodeAddress(message);
  const address = addressOf(prefix);
  // These flags are among the eight in the header.
  const flags = new Struct("address", message.body, 8).u8(2);
  if (flags & k.IFA_F_DADFAILED) return { linkIndex, address, state: "duplicate" };
  // An optimistic address may be used during detection (RFC 4429).
  const isTentative = (flags & k.IFA_F_TENTATIVE) !== 0 && (flags & k.IFA_F_OPTIMISTIC) === 0;
  return { linkIndex, address, state: isTentative ? "tentative" : "usable" };
}

/** `u8 family | u8 prefix length | u8 flags | u8 scope | u32 index` */
function addressMessage(m: MessageWriter, message: AddressMessage, v6Flags: number): void {
  const { address, length } = mustParsePrefix(message.address);
  const far = message.peer === undefined ? { address, length } : mustParsePrefix(message.peer);
  const isV6 = address.family === 6;
  m.u8(isV6 ? k.AF_INET6 : k.AF_INET)
    .u8(far.length)
    .u8(isV6 ? v6Flags : 0)
    .u8(k.RT_SCOPE_UNIVERSE)
    .u32(message.linkIndex);
  m.attributeIp(k.IFA_LOCAL, formatIp(address));
  m.attributeIp(k.IFA_ADDRESS, formatIp(far.address));
  if (message.protocol !== 0) m.attributeU8(k.IFA_PROTO, message.protocol);
}
