/** Many of a host's connections want the same at the same time: a few at once, so that others get their turn. */
import type { Scope } from "../../async/scope.ts";
import type { Clock } from "../../async/clock.ts";

/** A request costs every host on its way some milliseconds: 5,000 are through within 20 s. */
const AT_ONCE = 25;
const PAUSE_MS = 100;

/** Begins `action` with each item, in their order, as long as `goesOn` and `scope` has not ended. */
export async function paced<T>(
  items: readonly T[],
  pace: { readonly clock: Clock; readonly scope: Scope; readonly goesOn: () => boolean },
  action: (item: T) => void,
): Promise<void> {
  const { clock, scope, goesOn } = pace;
  for (const [i, item] of items.entries()) {
    if (i > 0 && i % AT_ONCE === 0) await clock.sleep(PAUSE_MS, scope);
    if (scope.ended || !goesOn()) return;
    action(item);
  }
}
