/** The shortest and the longest pause between failed attempts. */
export interface Backoff {
  readonly firstMs: number;
  readonly lastMs: number;
}

/** The longest pause between retries of anything that a wire waits for. */
export const LONGEST_PAUSE_MS = 10_000;

const USUAL: Readonly<Backoff> = { firstMs: 200, lastMs: LONGEST_PAUSE_MS };

/**
 * The pause after failure number `failures` (from 1), in milliseconds. It doubles each time, from 0.2 s to 10 s unless
 * `backoff` says otherwise. `fraction`, from 0 to 1, is random jitter: the share of the second half of the pause that is
 * kept, so that clients that fail together do not retry together.
 */
export function backoffMs(failures: number, fraction: number, backoff: Backoff = USUAL): number {
  const wholeMs = Math.min(backoff.lastMs, backoff.firstMs * 2 ** Math.min(failures - 1, 16));
  return wholeMs * (0.5 + 0.5 * fraction);
}
