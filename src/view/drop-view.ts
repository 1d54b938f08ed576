/** What the data paths of hosts have dropped, as commands show it. */
import type { HostStatus } from "../api/gen/netloom/admin/v1/admin_pb.js";
import { isoTime } from "./iso-time.ts";
import { optional } from "./optional.ts";

export interface DropView {
  /** `unknown` */
  readonly reason: string;
  /** The same for people. */
  readonly words: string;
  readonly packets: number;
  readonly lastAt?: string;
}

/** Whose tunnel packets were dropped because nobody had negotiated them, by their outer headers. */
export interface StrangerView {
  readonly source: string;
  readonly destination: string;
  readonly port: number;
  readonly vni: number;
  readonly packets: number;
}

/** What was dropped because a side of a wire must not send it. */
export interface OffenceView {
  /** Id of the wire, and who sent it; absent where the wire is gone. */
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
