/**
 * Numbers of namespaces in another namespace: `rtgenmsg` and NETNSA attributes. Source: include/uapi/linux/net_namespace.h
 */
import * as k from "./constants.ts";
import { DecodeError, type NetlinkMessage, readAttributes } from "./message-reader.ts";
import { dump, MessageWriter } from "./message-writer.ts";

/**
 * Assigns a number to the namespace of an open descriptor, answered by RTM_NEWNSID. The kernel chooses the number unless
 * `nsid` is given. EEXIST: it already has one. Equivalent to: `ip netns set NAME auto`
 */
export function newNsid(netnsFd: number, nsid: number = k.NETNSA_NSID_NOT_ASSIGNED): Uint8Array {
  const m = new MessageWriter(k.RTM_NEWNSID, k.NLM_F_ECHO).u8(k.AF_UNSPEC);
  m.attributeU32(k.NETNSA_FD, netnsFd);
  m.attribute(k.NETNSA_NSID, () => m.i32(nsid));
  return m.finish();
}

/**
 * Queries the number of the namespace of a descriptor, answered by RTM_NEWNSID. Equivalent to: `ip netns list-id` for one
 */
export function getNsid(netnsFd: number): Uint8Array {
  return new MessageWriter(k.RTM_GETNSID, 0).u8(k.AF_UNSPEC).attributeU32(k.NETNSA_FD, netnsFd).finish();
}

/** Lists all numbers. Equivalent to: `ip netns list-id` */
export function dumpNsids(): Uint8Array {
  return dump(k.RTM_GETNSID).u8(k.AF_UNSPEC).finish();
}

/**
 * Reads RTM_NEWNSID, and RTM_DELNSID, which reports the end of a namespace. -1: no number is assigned. Throws DecodeError.
 */
export function decodeNsid(message: NetlinkMessage): number {
  const nsid = readAttributes("nsid", message.body, 4).i32(k.NETNSA_NSID);
  if (nsid === undefined) throw new DecodeError("nsid", "there is none");
  return nsid;
}
