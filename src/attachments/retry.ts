/** Tries until it works, or the ground for it has changed. */
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
  /** `asks for db`: for people, as long as there is no answer. */
  readonly what: string;
  /** For the jitter: another one for each attachment. */
  readonly purpose: string;
  /** Ends the wait between two tries early, by resolving: there is news. */
  readonly news: (scope: Scope, error: NetloomError) => Promise<unknown>;
  /** Asked before every try: is it still wanted like that? */
  readonly isDue: () => boolean;
}

/** True if it has worked, false if it is not due any more, or `scope` has ended. */
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

/** Resolves after `durationMs`, when `early` does, or when `scope` ends. */
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
