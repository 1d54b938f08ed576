/** Keys and values of the map `wires`, as datapath/wire.bpf.c lays them out. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import type { Counters } from "../../kernel/kernel.ts";

export const KEY_BYTES = 4;
/** `struct wire`: action, source, packets, bytes, 4 reserved words; once per possible CPU. */
export const WIRE_BYTES = 64;
const ACTION_AT = 0;
const PACKETS_AT = 16;
const BYTES_AT = 24;

/** What comes out of the tunnel of a device is counted under its index with this bit. */
const ARRIVED = 2 ** 31;

export type Verdict = "pass" | "redirect" | "redirect-peer" | "encapsulate" | "decapsulate";

/** What happens to a frame after it was counted. */
export interface WireVerdict {
  readonly verdict: Verdict;
  /**
   * Of a redirect: a device of the same namespace; for `redirect-peer` the near end of a veth.
   */
  readonly targetIfindex?: number;
  /** Of `decapsulate`: the UDP port of the shared device that it is on. */
  readonly port?: number;
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

/** The number of values that a per-CPU map has per key. Source: /sys/devices/system/cpu/possible, `0-3,8` is 5 CPUs. */
export function possibleCpus(): number {
  cpus ??= readFileSync("/sys/devices/system/cpu/possible", "latin1")
    .split(",")
    .map((range) => range.split("-").map(Number))
    .reduce((count, [first = 0, last = first]) => count + last - first + 1, 0);
  return cpus;
}

export function keyOf(ifindex: number): Buffer {
  const key = Buffer.allocUnsafe(KEY_BYTES);
  key.writeUInt32LE(ifindex);
  return key;
}

/** The key of what has come out of the tunnel of a device. */
export function arrivedKeyOf(ifindex: number): Buffer {
  return keyOf(ifindex + ARRIVED);
}

/** The device of any key. */
export function indexOfKey(key: number): number {
  return key % ARRIVED;
}

/** Whether a key is one of those. */
export function isArrivedKey(key: number): boolean {
  return key >= ARRIVED;
}

/** The word that says what to do. */
export function encodeAction(action: WireVerdict): bigint {
  const isRedirect = action.verdict === "redirect" || action.verdict === "redirect-peer";
  assert((action.targetIfindex !== undefined) === isRedirect, "a redirect, and only that, has a target");
  assert((action.port !== undefined) === (action.verdict === "decapsulate"), "tunnels come by a port");
  return (BigInt(action.targetIfindex ?? action.port ?? 0) << 32n) | BigInt(VERDICTS.indexOf(action.verdict));
}

export function decodeAction(value: Buffer): WireVerdict | undefined {
  const verdict = VERDICTS[value[ACTION_AT] ?? 0];
  if (verdict === undefined) {
    return undefined;
  }
  const target = value.readUInt32LE(ACTION_AT + 4);
  if (verdict === "decapsulate") return { verdict, port: target };
  return verdict === "pass" || verdict === "encapsulate" ? { verdict } : { verdict, targetIfindex: target };
}

/** A value for every CPU, counters at zero. */
export function wireValue(action: WireVerdict): Buffer {
  const value = Buffer.alloc(WIRE_BYTES * possibleCpus());
  for (let at = 0; at < value.length; at += WIRE_BYTES) {
    value.writeBigUInt64LE(encodeAction(action), at + ACTION_AT);
  }
  return value;
}

/** The sum over the CPUs. */
export function countersOf(value: Buffer): Counters {
  let packets = 0n;
  let bytes = 0n;
  for (let at = 0; at < value.length; at += WIRE_BYTES) {
    packets += value.readBigUInt64LE(at + PACKETS_AT);
    bytes += value.readBigUInt64LE(at + BYTES_AT);
  }
  return { packets: Number(packets), bytes: Number(bytes) };
}
