/**
 * What of the notifications of routes, neighbours and queues the kernel is to put into a socket's buffer at all, as a classic BPF
 * program. A host may have 100,000 routes in motion and an ARP table that never rests: what is dropped here costs no system
 * call and no room.
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

/** Offsets in a message; of a number the lower byte comes first. */
const TYPE = 4;
const FLAGS_HIGH = 7;
const BODY = 16;
const ROUTE_PROTOCOL = BODY + 5;
const NDMSG_BYTES = 12;
const QUEUE_PARENT = BODY + 12;
/** TC_H_CLSACT as a word is loaded: its first byte is the highest. */
const INGRESS = 0xf1ffffff;
const ATTRIBUTE_HEADER = 4;
/** RTPROT_STATIC: up to it are the kernel and people; beyond, routing daemons and DHCP. */
const LAST_BY_HAND = 4;
const WHOLE = 0xffff_ffff;

/**
 * Lets through, besides all that is of neither: removals of routes that bear `protocol` or are the kernel's own; replacements of
 * routes by people, by the kernel and by `protocol`; what becomes of neighbours that bear `protocol`; and of queueing
 * disciplines the removal of one at an ingress. As `struct sock_filter[]`.
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
