/** Keys and values of the map `wires`. Layout: datapath/include/wire.h and guard.h. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { type Guard, type Server, SERVERS } from "../../kernel/guard.ts";
import type { Counters } from "../../kernel/kernel.ts";
import { isFullLength, mustParsePrefix } from "../../net/ip.ts";
import { formatMac, parseMac } from "../../net/mac.ts";

export const KEY_BYTES = 4;
/** `struct wire`, for each possible CPU. */
export const WIRE_BYTES = 64;
const ACTION_AT = 0;
/** 6 bytes of a MAC, then `GUARD_*` flags. */
const GUARD_AT = 8;
const MAY_AT = 14;
const PACKETS_AT = 16;
const BYTES_AT = 24;
const FIRST6_AT = 32;
const FIRST4_AT = 48;
const SHORT_CUT_AT = 56;

const GUARD_MAC = 1;
const GUARD_SOURCES = 2;
const GUARD_SERVERS: Readonly<Record<Server, number>> = { dhcp: 4, routers: 8 };
const GUARD_FIRST4 = 16;
const GUARD_FIRST6 = 32;
const GUARD_ON = 64;

/** The entry for frames out of the tunnel of a device is the index of the device with this bit. */
const ARRIVED = 2 ** 31;

export type Verdict = "pass" | "redirect" | "redirect-peer" | "encapsulate" | "decapsulate";

/** The action for a frame after it is counted. */
export interface WireVerdict {
  readonly verdict: Verdict;
  /** For a redirect: a device of the same namespace; for `redirect-peer` the near end of a veth. */
  readonly targetIfindex?: number;
  /** For `decapsulate`: the UDP port of the shared device. */
  readonly port?: number;
  /** For `redirect`, and for frames out of a tunnel: frames for this MAC go straight to the far end of the pair. */
  readonly mac?: string;
  /** The traffic that may enter. */
  readonly guard?: Guard;
}

const VERDICTS: readonly (Verdict | undefined)[] = [
  undefined,
  "pass",
  "redirect",
  "redirect-peer",
  "encapsulate",
  "decapsulate",
];

let cpus: number | undefined;

/** The number of values of a per-CPU map for each key. Source: /sys/devices/system/cpu/possible, `0-3,8` is 5 CPUs. */
export function possibleCpus(): number {
  cpus ??= readFileSync("/sys/devices/system/cpu/possible", "latin1")
    .split(",")
    .map((range) => range.split("-").map(Number))
    .reduce((count, [first = 0, last = first]) => count + last - first + 1, 0);
  return cpus;
}

export function keyOf(entry: number): Buffer {
  const key = Buffer.allocUnsafe(KEY_BYTES);
  key.writeUInt32LE(entry);
  return key;
}

/** The entry for frames out of the tunnel of a device. The entry of the device itself is its index. */
export function arrivedEntry(ifindex: number): number {
  return ifindex + ARRIVED;
}

/** The device index of an entry. */
export function indexOfEntry(entry: number): number {
  return entry % ARRIVED;
}

/** Is it an entry for frames out of a tunnel? */
export function isArrivedEntry(entry: number): boolean {
  return entry >= ARRIVED;
}

/**
 * Encodes the value of one CPU, with counters at zero. Other maps hold the sources of a guard beyond the first addresses
 * (guard-maps.ts).
 */
export function encodeWire(wire: WireVerdict): Buffer {
  const { verdict, targetIfindex, port, mac, guard } = wire;
  const isRedirect = verdict === "redirect" || verdict === "redirect-peer";
  assert((targetIfindex !== undefined) === isRedirect, "a redirect, and only that, has a target");
  assert((port !== undefined) === (verdict === "decapsulate"), "tunnels come by a port");
  const value = Buffer.alloc(WIRE_BYTES);
  value.writeUInt32LE(VERDICTS.indexOf(verdict), ACTION_AT);
  value.writeUInt32LE(targetIfindex ?? port ?? 0, ACTION_AT + 4);
  putMac(value, SHORT_CUT_AT, mac);
  if (guard) putGuard(value, guard);
  return value;
}

function putGuard(value: Buffer, { mac, sources, serves = [] }: Guard): void {
  let may = GUARD_ON | (mac === undefined ? 0 : GUARD_MAC) | (sources ? GUARD_SOURCES : 0);
  for (const server of SERVERS) if (!serves.includes(server)) may |= GUARD_SERVERS[server];
  const addresses = (sources ?? []).map(mustParsePrefix).filter(isFullLength);
  const [first4, first6] = [4, 6].map((family) => addresses.find(({ address }) => address.family === family));
  if (first4) value.set(first4.address.bytes, FIRST4_AT);
  if (first6) value.set(first6.address.bytes, FIRST6_AT);
  may |= (first4 ? GUARD_FIRST4 : 0) | (first6 ? GUARD_FIRST6 : 0);
  putMac(value, GUARD_AT, mac);
  value.writeUInt16LE(may, MAY_AT);
}

function putMac(value: Buffer, at: number, mac: string | undefined): void {
  const bytes = mac === undefined ? undefined : parseMac(mac);
  if (bytes) value.set(bytes, at);
}

/** Decodes a value. `sourcesOf` returns the sources of the guard, if it has any. */
export function decodeWire(value: Buffer, sourcesOf: () => readonly string[]): WireVerdict | undefined {
  const verdict = VERDICTS[value[ACTION_AT] ?? 0];
  if (verdict === undefined) return undefined;
  const target = value.readUInt32LE(ACTION_AT + 4);
  const [mac, may] = [macAt(value, SHORT_CUT_AT), value.readUInt16LE(MAY_AT)];
  return {
    verdict,
    ...(verdict === "decapsulate" && { port: target }),
    ...((verdict === "redirect" || verdict === "redirect-peer") && { targetIfindex: target }),
    ...(mac !== undefined && { mac }),
    ...(may !== 0 && { guard: guardOf(value, may, sourcesOf) }),
  };
}

function guardOf(value: Buffer, may: number, sourcesOf: () => readonly string[]): Guard {
  const mac = (may & GUARD_MAC) === 0 ? undefined : macAt(value, GUARD_AT);
  const serves = SERVERS.filter((server) => (may & GUARD_SERVERS[server]) === 0);
  return {
    ...(mac !== undefined && { mac }),
    ...((may & GUARD_SOURCES) !== 0 && { sources: sourcesOf() }),
    ...(serves.length > 0 && { serves }),
  };
}

/** The MAC; `undefined` if all bytes are zero. */
function macAt(value: Buffer, at: number): string | undefined {
  const bytes = Uint8Array.from(value.subarray(at, at + 6));
  return bytes.some((byte) => byte !== 0) ? formatMac(bytes) : undefined;
}

/** The value with the same content for every CPU. */
export function wireValue(wire: WireVerdict): Buffer {
  const one = encodeWire(wire);
  return Buffer.concat(Array.from({ length: possibleCpus() }, () => one));
}

/** Sums the counters of all CPUs. */
export function countersOf(value: Buffer): Counters {
  let packets = 0n;
  let bytes = 0n;
  for (let at = 0; at < value.length; at += WIRE_BYTES) {
    packets += value.readBigUInt64LE(at + PACKETS_AT);
    bytes += value.readBigUInt64LE(at + BYTES_AT);
  }
  return { packets: Number(packets), bytes: Number(bytes) };
}
