/** Decodes a frame and its metadata from a packet socket. packet(7), include/uapi/linux/if_packet.h */
import type { CapturedFrame } from "../../kernel/capturer.ts";

/** Offset of `sll_pkttype` in `struct sockaddr_ll`. */
const PKTTYPE_AT = 10;
const PACKET_OUTGOING = 4;

/** `struct tpacket_auxdata`: u32 status | u32 length | u32 snapped | u16 mac | u16 net | u16 tag | u16 ethertype of the tag */
const AUXDATA = { status: 0, length: 4, tag: 16, tagType: 18 } as const;
const TP_STATUS_VLAN_VALID = 1 << 4;
const TP_STATUS_VLAN_TPID_VALID = 1 << 6;
const ETH_P_8021Q = 0x8100;

/** After both MACs. */
const TAG_AT = 12;
const TAG_BYTES = 4;

export interface ReceivedFrame {
  /** The captured bytes. */
  readonly data: Uint8Array;
  /** `struct sockaddr_ll`. */
  readonly address: DataView;
  /** PACKET_AUXDATA. */
  readonly auxdata: DataView | undefined;
  /** SCM_TIMESTAMPNS: `struct timespec`. */
  readonly time: DataView | undefined;
}

/**
 * The frame as on the wire. The kernel removes the outer VLAN tag and reports it as metadata: it is put back. `data` is
 * copied.
 */
export function capturedFrame({ data, address, auxdata, time }: ReceivedFrame): CapturedFrame {
  const tag = auxdata && tagOf(auxdata);
  const length = auxdata?.getUint32(AUXDATA.length, true) ?? data.length;
  return {
    timeNs: time ? time.getBigInt64(0, true) * 1_000_000_000n + time.getBigInt64(8, true) : 0n,
    isOutgoing: address.getUint8(PKTTYPE_AT) === PACKET_OUTGOING,
    data: tag && data.length >= TAG_AT ? withTag(data, tag) : data.slice(),
    lengthBytes: tag ? length + TAG_BYTES : length,
  };
}

function tagOf(auxdata: DataView): { readonly type: number; readonly tag: number } | undefined {
  const status = auxdata.getUint32(AUXDATA.status, true);
  if ((status & TP_STATUS_VLAN_VALID) === 0) return undefined;
  const isTyped = (status & TP_STATUS_VLAN_TPID_VALID) !== 0;
  const type = isTyped ? auxdata.getUint16(AUXDATA.tagType, true) : ETH_P_8021Q;
  return { type, tag: auxdata.getUint16(AUXDATA.tag, true) };
}

function withTag(
  data: Uint8Array,
  { type, tag }: { readonly type: number; readonly tag: number },
): Uint8Array {
  const whole = new Uint8Array(data.length + TAG_BYTES);
  whole.set(data.subarray(0, TAG_AT));
  new DataView(whole.buffer).setUint16(TAG_AT, type);
  new DataView(whole.buffer).setUint16(TAG_AT + 2, tag);
  whole.set(data.subarray(TAG_AT), TAG_AT + TAG_BYTES);
  return whole;
}
