/** The maps `drops` and `strangers`, as datapath/include/drops.h and tunnel.h lay them out. */
import {
  DROP_REASONS,
  type DropCount,
  type Drops,
  sortStrangers,
  type Stranger,
} from "../../kernel/drops.ts";
import { forEachElement, lookupElement } from "./bpf.ts";
import { ARRIVAL_KEY_BYTES, decodeStrangerKey } from "./tunnel-entry.ts";
import { keyOf, possibleCpus } from "./wire-map.ts";

/** `struct dropped`: packets, and when the last one was; once per possible CPU. */
export const DROPPED_BYTES = 16;
export const STRANGER_BYTES = 8;

/** Descriptors. */
export interface DropMapFds {
  readonly drops: number;
  readonly strangers: number;
}

/** `nowNs`: CLOCK_MONOTONIC, by which the kernel says when. */
export function readDrops(fds: DropMapFds, nowNs: bigint): Drops {
  const strangers: Stranger[] = [];
  forEachElement(
    fds.strangers,
    { keyBytes: ARRIVAL_KEY_BYTES[6], valueBytes: STRANGER_BYTES },
    (key, value) => strangers.push({ ...decodeStrangerKey(key), packets: Number(value.readBigUInt64LE()) }),
  );
  return {
    counts: DROP_REASONS.flatMap((reason, number) => countOf(fds.drops, { reason, number }, nowNs)),
    strangers: sortStrangers(strangers),
  };
}

/** The sum over the CPUs. */
function countOf(
  drops: number,
  { reason, number }: { readonly reason: DropCount["reason"]; readonly number: number },
  nowNs: bigint,
): DropCount[] {
  const value = Buffer.alloc(DROPPED_BYTES * possibleCpus());
  if (!lookupElement(drops, keyOf(number), value)) return [];
  let packets = 0n;
  let lastNs = 0n;
  for (let at = 0; at < value.length; at += DROPPED_BYTES) {
    packets += value.readBigUInt64LE(at);
    const own = value.readBigUInt64LE(at + 8);
    if (own > lastNs) lastNs = own;
  }
  const agoMs = Math.max(0, Number((nowNs - lastNs) / 1_000_000n));
  return packets === 0n ? [] : [{ reason, packets: Number(packets), agoMs }];
}
