/** Spreads actions for many connections of a host over time: a few at once, so that other work can run in between. */
import type { Scope } from "../../async/scope.ts";
import type { Clock } from "../../async/clock.ts";

/** A request costs every host on its path some milliseconds: at this pace 5,000 requests take 20 s. */
const AT_ONCE = 25;
const PAUSE_MS = 100;

/** Starts `action` for each item in order, while `goesOn` returns true and `scope` has not ended. */
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
