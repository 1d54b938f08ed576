/** Drops of the hosts' data paths in the output of commands. */
import type { HostStatus } from "../api/gen/netloom/admin/v1/admin_pb.js";
import { isoTime } from "./iso-time.ts";
import { optional } from "./optional.ts";

export interface DropView {
  /** Name of the reason: `unknown`. */
  readonly reason: string;
  /** The reason in words. */
  readonly words: string;
  readonly packets: number;
  readonly lastAt?: string;
}

/** The sender of dropped tunnel packets for which no tunnel was negotiated, from their outer headers. */
export interface StrangerView {
  readonly source: string;
  readonly destination: string;
  readonly port: number;
  readonly vni: number;
  readonly packets: number;
}

/** Packets that were dropped because the guard does not let a side of a wire send them. */
export interface OffenceView {
  /** Id of the wire, and the side that sent the packets. Absent if the wire is gone. */
  readonly wire?: string;
  readonly side?: string;
  readonly reason: string;
  readonly packets: number;
}

export function dropViews({ drops }: Pick<HostStatus, "drops">): DropView[] {
  return drops.map(({ reason, words, packets, lastAt }) => ({
    reason,
    words,
    packets: Number(packets),
    ...optional("lastAt", isoTime(lastAt)),
  }));
}

export function strangerViews({ strangers }: Pick<HostStatus, "strangers">): StrangerView[] {
  return strangers.map(({ source, destination, port, vni, packets }) => ({
    source,
    destination,
    port,
    vni,
    packets: Number(packets),
  }));
}

export function offenceViews({ offences }: Pick<HostStatus, "offences">): OffenceView[] {
  return offences.map(({ wire, side, reason, packets }) => ({
    ...optional("wire", wire),
    ...optional("side", side),
    reason,
    packets: Number(packets),
  }));
}
