/** Repeats an attempt until it succeeds or is no longer needed. */
import { race } from "../async/task-scope.ts";
import { NetloomError } from "../errors/errors.ts";
import type { Scope } from "../async/scope.ts";
import type { World } from "../world/world.ts";
import { backoffMs } from "../async/backoff.ts";
import type { Progress } from "./progress.ts";

export interface RetryOptions {
  readonly world: World;
  readonly scope: Scope;
  readonly progress: Progress;
  /** `it requests db`: shown to people while there is no answer. */
  readonly what: string;
  /** Seed of the jitter, different for each attachment. */
  readonly purpose: string;
  /** Resolves on news that may help. That ends the wait between two tries early. */
  readonly news: (scope: Scope, error: NetloomError) => Promise<unknown>;
  /** Whether the attempt is still needed; called before every try. */
  readonly isDue: () => boolean;
}

/** True if an attempt succeeded, false if it is no longer needed or `scope` has ended. */
export async function retry(options: RetryOptions, attempt: (n: number) => Promise<void>): Promise<boolean> {
  const { world, scope, progress, what, purpose, news, isDue } = options;
  for (let n = 1; isDue() && !scope.ended; n++) {
    progress.requesting(what);
    let failure: NetloomError;
    try {
      await attempt(n);
      return true;
    } catch (error) {
      if (!(error instanceof NetloomError)) throw error;
      failure = error;
    }
    if (scope.ended || !isDue()) return false;
    const delayMs = backoffMs(n, world.random.fraction(purpose, n));
    progress.failed(failure, delayMs);
    await pause(world, scope, delayMs, (nap) => news(nap, failure));
  }
  return false;
}

/** Resolves after `durationMs`, when `early` resolves, or when `scope` ends. */
async function pause(
  world: World,
  scope: Scope,
  durationMs: number,
  early: (scope: Scope) => Promise<unknown>,
): Promise<void> {
  if (scope.ended) return;
  const nap = scope.child("nap");
  try {
    await race<unknown>([world.clock.sleep(durationMs, nap), early(nap)]);
  } catch (error) {
    if (!(error instanceof NetloomError && error.code === "CANCELLED")) throw error;
  } finally {
    await nap.end();
  }
}
