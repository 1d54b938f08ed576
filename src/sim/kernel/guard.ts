/** What a side of a simulated wire may send: of a packet only its source is known. */
import { type Guard, isFrom } from "../../kernel/guard.ts";
import { isLinkLocal } from "../../net/link-local.ts";
import type { Machinery, Packet, SimDevice } from "./state.ts";

/** Whether a packet may pass; one that may not is counted. */
export function isAllowed(
  machine: Machinery,
  {
    guard,
    on,
    isArrived,
  }: { readonly guard: Guard | undefined; readonly on: SimDevice; readonly isArrived?: true },
  { source: said, chosen, bytes }: Packet,
): boolean {
  const source = said ?? chosen;
  if (!guard?.sources || source === undefined || isLinkLocal(source)) return true;
  if (isFrom(guard.sources, source)) return true;
  const { program, name: link, alias } = on;
  if (program && bytes > 0)
    machine.drops.countOffence(
      program.pins,
      { link, alias, ...(isArrived && { isArrived }), reason: "source" },
      machine.nowMs(),
    );
  return false;
}
