/** An event of an agent's journal, as commands show it. */
import type { Event } from "../api/gen/netloom/admin/v1/admin_pb.js";
import { isoTime } from "./iso-time.ts";

export interface EventView {
  readonly kind: string;
  readonly name: string;
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  readonly message?: string;
  /** RFC 3339; empty if unknown. */
  readonly first: string;
  /** Likewise. */
  readonly last: string;
  readonly count: number;
}

export function eventView({ ref, isWarning, reason, message, first, last, count }: Event): EventView {
  return {
    kind: ref?.kind ?? "",
    name: ref?.name ?? "",
    type: isWarning ? "Warning" : "Normal",
    reason,
    ...(message !== "" && { message }),
    first: isoTime(first) ?? "",
    last: isoTime(last) ?? "",
    count,
  };
}
