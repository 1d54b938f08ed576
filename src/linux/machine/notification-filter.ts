/**
 * What of the notifications of routes, neighbours and queues the kernel is to put into a socket's buffer at all, as a classic BPF
 * program. A host may have 100,000 routes in motion and an ARP table that never rests: what is dropped here costs no system
 * call and no room. Source: include/uapi/linux/filter.h
 */
import * as k from "../netlink/constants.ts";

/** A place to jump to, or an instruction: what it does, with which number, where it goes on if so and if not. */
type Line = string | readonly [code: number, number: number, ifSo?: string | undefined, ifNot?: string];

const LOAD_BYTE = 0x30; // BPF_LD | BPF_B | BPF_ABS
const LOAD_WORD = 0x20; // BPF_LD | BPF_W | BPF_ABS
const LOAD_BYTE_BEHIND = 0x50; // BPF_LD | BPF_B | BPF_IND
const LOAD_NUMBER = 0x00; // BPF_LD | BPF_IMM
const INDEX_NUMBER = 0x01; // BPF_LDX | BPF_IMM
const INDEX_LOADED = 0x07; // BPF_MISC | BPF_TAX
const IF_EQUAL = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const IF_GREATER = 0x25; // BPF_JMP | BPF_JGT | BPF_K
const IF_BIT = 0x45; // BPF_JMP | BPF_JSET | BPF_K
const RETURN = 0x06; // BPF_RET | BPF_K
/** Loads the offset of the attribute of type X behind offset A, or 0: SKF_AD_OFF + SKF_AD_NLATTR. */
const FIND_ATTRIBUTE = 0xfffff000 + 12;

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

/** `u16 code | u8 skip if so | u8 skip if not | u32 number`, for each instruction. */
function assembled(lines: readonly Line[]): Uint8Array {
  const places = new Map<string, number>();
  const program: Exclude<Line, string>[] = [];
  for (const line of lines)
    if (typeof line === "string") places.set(line, program.length);
    else program.push(line);
  const bytes = new Uint8Array(8 * program.length);
  const view = new DataView(bytes.buffer);
  for (const [i, [code, number, ifSo, ifNot]] of program.entries()) {
    const skip = (place: string | undefined): number =>
      place === undefined ? 0 : (places.get(place) ?? 0) - i - 1;
    view.setUint16(8 * i, code, true);
    view.setUint8(8 * i + 2, skip(ifSo));
    view.setUint8(8 * i + 3, skip(ifNot));
    view.setUint32(8 * i + 4, number, true);
  }
  return bytes;
}
