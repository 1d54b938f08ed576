import type { Side } from "../../mechanisms/side.ts";
import { derivedMac, formatMac, parseMac } from "../../net/mac.ts";
import type { Wire } from "../wire.ts";

/** MAC of a workload's device: from the context, else derived, so that both hosts know it without asking. */
export function workloadMac(wire: Wire, side: Side): string {
  const given = parseMac((side === "client" ? wire.context.srcMac : wire.context.dstMac) ?? "");
  return given ? formatMac(given) : derivedMac(["mac", wire.connectionId, side]);
}
