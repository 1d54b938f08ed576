/**
 * Writes captured frames as a file for Wireshark and tcpdump: pcapng, little-endian, times in nanoseconds. Each function makes
 * one block. A file is a section header, its interfaces, packets, and statistics, in that order. Pure.
 * Source: draft-ietf-opsawg-pcapng
 */

const BLOCK = { section: 0x0a0d0d0a, interface: 1, statistics: 5, packet: 6 } as const;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
/** The length of a section that is written as a stream. */
const UNKNOWN_LENGTH = 0xffff_ffff_ffff_ffffn;
const LINKTYPE_ETHERNET = 1;

const COMMENT = 1;
const SECTION_APPLICATION = 4;
const INTERFACE = { name: 2, description: 3, timeResolution: 9, filter: 11 } as const;
const PACKET_FLAGS = 2;
const STATISTICS = { start: 2, end: 3, received: 4, accepted: 6, dropped: 7 } as const;

/** The two lowest bits of `epb_flags`. */
const INBOUND = 1;
const OUTBOUND = 2;
/** Value of `if_tsresol`: a negative power of ten. */
const NANOSECONDS = 9;
/** First byte of `if_filter`: the rest is a filter in libpcap's language. */
const FILTER_AS_TEXT = 0;

/** A block about one interface. Interfaces are numbered from 0 in the order of their blocks. */
interface OfInterface {
  readonly interface: number;
  /** Nanoseconds since the epoch. */
  readonly timeNs: bigint;
}

export interface CaptureInterface {
  /** Name of the device. */
  readonly name: string;
  readonly description: string;
  /** The most bytes that are captured of a packet. */
  readonly snapBytes: number;
  /** A filter in libpcap's language. */
  readonly filter?: string;
}

export interface CapturePacket extends OfInterface {
  readonly data: Uint8Array;
  /** Length of the packet on the wire. */
  readonly lengthBytes: number;
  readonly isOutbound: boolean;
  readonly comment: string;
}

export interface CaptureStatistics extends OfInterface {
  readonly startNs: bigint;
  /** All packets, whether or not the filter passes them. */
  readonly received: bigint;
  /** Packets that the filter passed. */
  readonly accepted: bigint;
  /** Packets lost for lack of room. */
  readonly dropped: bigint;
}

/** SHB, the first block of a file. `application` is the program that wrote it. */
export function sectionHeader(application: string): Uint8Array {
  return block(BLOCK.section, [
    numbers32(BYTE_ORDER_MAGIC),
    // Version 1.0.
    numbers16(1, 0),
    number64(UNKNOWN_LENGTH),
    options(text(SECTION_APPLICATION, application)),
  ]);
}

/** IDB. */
export function interfaceBlock({ name, description, snapBytes, filter }: CaptureInterface): Uint8Array {
  return block(BLOCK.interface, [
    numbers16(LINKTYPE_ETHERNET, 0),
    numbers32(snapBytes),
    options(
      text(INTERFACE.name, name),
      text(INTERFACE.description, description),
      option(INTERFACE.timeResolution, Uint8Array.of(NANOSECONDS)),
      ...(filter === undefined
        ? []
        : [option(INTERFACE.filter, Uint8Array.of(FILTER_AS_TEXT, ...new TextEncoder().encode(filter)))]),
    ),
  ]);
}

/** EPB. */
export function packetBlock(packet: CapturePacket): Uint8Array {
  const { data, lengthBytes, isOutbound, comment } = packet;
  return block(BLOCK.packet, [
    numbers32(packet.interface),
    time(packet.timeNs),
    numbers32(data.length, lengthBytes),
    padded(data),
    options(text(COMMENT, comment), option(PACKET_FLAGS, numbers32(isOutbound ? OUTBOUND : INBOUND))),
  ]);
}

/** ISB: counters of an interface's packets up to `timeNs`. */
export function statisticsBlock(statistics: CaptureStatistics): Uint8Array {
  const { startNs, timeNs, received, accepted, dropped } = statistics;
  return block(BLOCK.statistics, [
    numbers32(statistics.interface),
    time(timeNs),
    options(
      option(STATISTICS.start, time(startNs)),
      option(STATISTICS.end, time(timeNs)),
      option(STATISTICS.received, number64(received)),
      option(STATISTICS.accepted, number64(accepted)),
      option(STATISTICS.dropped, number64(dropped)),
    ),
  ]);
}

/** A block has its length at both ends, so that a file can be read backwards. */
function block(type: number, body: readonly Uint8Array[]): Uint8Array {
  const length = 12 + body.reduce((sum, part) => sum + part.length, 0);
  return joined([numbers32(type, length), ...body, numbers32(length)]);
}

/** `opt_endofopt` closes the list. */
function options(...all: readonly Uint8Array[]): Uint8Array {
  return joined([...all, numbers16(0, 0)]);
}

function option(code: number, value: Uint8Array): Uint8Array {
  return joined([numbers16(code, value.length), padded(value)]);
}

function text(code: number, value: string): Uint8Array {
  return option(code, new TextEncoder().encode(value));
}

/** Pads to a multiple of 32 bits. */
function padded(data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(data.length / 4) * 4);
  bytes.set(data);
  return bytes;
}

/** The higher half comes first, whatever the byte order. */
function time(ns: bigint): Uint8Array {
  return numbers32(Number(ns >> 32n), Number(ns & 0xffff_ffffn));
}

function numbers16(...values: readonly number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(2 * values.length));
  for (const [i, value] of values.entries()) view.setUint16(2 * i, value, true);
  return new Uint8Array(view.buffer);
}

function numbers32(...values: readonly number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(4 * values.length));
  for (const [i, value] of values.entries()) view.setUint32(4 * i, value, true);
  return new Uint8Array(view.buffer);
}

function number64(value: bigint): Uint8Array {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, value, true);
  return new Uint8Array(view.buffer);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
