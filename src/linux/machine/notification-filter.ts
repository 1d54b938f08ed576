/**
 * Filters the notifications of routes, neighbours and qdiscs before they enter a socket's buffer, as a classic BPF program.
 * A host may have 100,000 changing routes and a busy ARP table: a notification dropped here costs no system call and no
 * room.
 */
import {
  assembled,
  LOAD_BYTE,
  LOAD_WORD,
  LOAD_BYTE_BEHIND,
  LOAD_NUMBER,
  INDEX_NUMBER,
  INDEX_LOADED,
  IF_EQUAL,
  IF_GREATER,
  IF_BIT,
  RETURN,
  FIND_ATTRIBUTE,
} from "../libc/classic-bpf.ts";
import * as k from "../netlink/constants.ts";

/** Offsets in a message. Numbers are little-endian. */
const TYPE = 4;
const FLAGS_HIGH = 7;
const BODY = 16;
const ROUTE_PROTOCOL = BODY + 5;
const NDMSG_BYTES = 12;
const QUEUE_PARENT = BODY + 12;
/** TC_H_CLSACT as a loaded word: its first byte is the highest. */
const INGRESS = 0xf1ffffff;
const ATTRIBUTE_HEADER = 4;
/**
 * RTPROT_STATIC. Protocols up to it are those of the kernel and of manual routes; routing daemons and DHCP have higher
 * ones.
 */
const LAST_BY_HAND = 4;
const WHOLE = 0xffff_ffff;

/**
 * Of routes accepts removals with `protocol` or by the kernel, and replacements of manual routes, of the kernel's and of
 * those with `protocol`. Of neighbours accepts all changes with `protocol`. Of qdiscs accepts the removal of an ingress
 * one. Accepts all other messages. As `struct sock_filter[]`.
 */
export function notificationFilter(protocol: number): Uint8Array {
  return assembled([
    [LOAD_BYTE, TYPE],
    [IF_EQUAL, k.RTM_NEWROUTE, "new route"],
    [IF_EQUAL, k.RTM_DELROUTE, "lost route"],
    [IF_EQUAL, k.RTM_NEWNEIGH, "neighbour"],
    [IF_EQUAL, k.RTM_DELNEIGH, "neighbour"],
    [IF_EQUAL, k.RTM_DELQDISC, "lost queue"],
    [IF_GREATER, k.RTM_NEWQDISC - 1, undefined, "accept"],
    [IF_GREATER, k.RTM_GETTFILTER, "accept", "drop"],
    "new route",
    [LOAD_BYTE, FLAGS_HIGH],
    [IF_BIT, k.NLM_F_REPLACE >> 8, undefined, "drop"],
    [LOAD_BYTE, ROUTE_PROTOCOL],
    [IF_GREATER, LAST_BY_HAND, "is it ours?", "accept"],
    "lost route",
    [LOAD_BYTE, ROUTE_PROTOCOL],
    [IF_EQUAL, k.RTPROT_KERNEL, "accept", "is it ours?"],
    "lost queue",
    [LOAD_WORD, QUEUE_PARENT],
    [IF_EQUAL, INGRESS, "accept", "drop"],
    "neighbour",
    [INDEX_NUMBER, k.NDA_PROTOCOL],
    [LOAD_NUMBER, BODY + NDMSG_BYTES],
    [LOAD_WORD, FIND_ATTRIBUTE],
    [IF_EQUAL, 0, "drop"],
    [INDEX_LOADED, 0],
    [LOAD_BYTE_BEHIND, ATTRIBUTE_HEADER],
    "is it ours?",
    [IF_EQUAL, protocol, "accept", "drop"],
    "accept",
    [RETURN, WHOLE],
    "drop",
    [RETURN, 0],
  ]);
}
