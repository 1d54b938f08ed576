/** The maps `drops`, `strangers` and `offences`. Layout: datapath/include/drops.h, tunnel.h and guard.h. */
import {
  DROP_REASONS,
  type DropCount,
  type Drops,
  type Offence,
  sortOffences,
  sortStrangers,
  type Stranger,
} from "../../kernel/drops.ts";
import { forEachElement, lookupElement } from "./bpf.ts";
import { ARRIVAL_KEY_BYTES, decodeStrangerKey } from "./tunnel-entry.ts";
import { indexOfEntry, isArrivedEntry, keyOf, possibleCpus } from "./wire-map.ts";

/** `struct dropped`: the number of packets and the time of the last one, for each possible CPU. */
export const DROPPED_BYTES = 16;
/** The number of entries for reasons. */
export const DROP_SLOTS = 16;
export const STRANGER_BYTES = 8;
const OFFENCE_KEY_BYTES = 8;
const OFFENCE_BYTES = 8;

/** Descriptors of the maps. */
export interface DropMapFds {
  readonly drops: number;
  readonly strangers: number;
  readonly offences: number;
}

export interface DropContext {
  /** CLOCK_MONOTONIC, the clock of the kernel's timestamps. */
  readonly nowNs: bigint;
  /** The device with this index; `undefined` if it is gone. */
  readonly lookUp: (
    ifindex: number,
  ) => { readonly name: string; readonly alias?: string | undefined } | undefined;
}

export function readDrops(fds: DropMapFds, { nowNs, lookUp }: DropContext): Drops {
  const strangers: Stranger[] = [];
  forEachElement(
    fds.strangers,
    { keyBytes: ARRIVAL_KEY_BYTES[6], valueBytes: STRANGER_BYTES },
    (key, value) => strangers.push({ ...decodeStrangerKey(key), packets: Number(value.readBigUInt64LE()) }),
  );
  return {
    counts: DROP_REASONS.flatMap((reason, number) => countOf(fds.drops, { reason, number }, nowNs)),
    strangers: sortStrangers(strangers),
    offences: sortOffences(offencesOf(fds.offences, lookUp)),
  };
}

function offencesOf(map: number, lookUp: DropContext["lookUp"]): Offence[] {
  const offences: Offence[] = [];
  forEachElement(map, { keyBytes: OFFENCE_KEY_BYTES, valueBytes: OFFENCE_BYTES }, (key, value) => {
    const [entry, reason] = [key.readUInt32LE(0), DROP_REASONS[key.readUInt32LE(4)]];
    if (!reason) return;
    const device = lookUp(indexOfEntry(entry));
    offences.push({
      ...(device && { link: device.name, alias: device.alias ?? "" }),
      ...(isArrivedEntry(entry) && { isArrived: true }),
      reason,
      packets: Number(value.readBigUInt64LE()),
    });
  });
  return offences;
}

/** Sums the counters of all CPUs. */
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
