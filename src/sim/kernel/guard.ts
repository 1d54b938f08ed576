/** Guards of the simulated kernel. Of a packet only the source address is known. */
import { type Guard, isFrom } from "../../kernel/guard.ts";
import { isLinkLocal } from "../../net/link-local.ts";
import type { Machinery, Packet, SimDevice } from "./state.ts";

/** May the packet pass? Counts a refused packet. */
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
