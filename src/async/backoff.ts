/** Pauses between attempts that fail. */
export interface Backoff {
  readonly firstMs: number;
  readonly lastMs: number;
}

/** Of whatever a wire waits for. */
export const LONGEST_PAUSE_MS = 10_000;

const USUAL: Readonly<Backoff> = { firstMs: 200, lastMs: LONGEST_PAUSE_MS };

/**
 * The pause after the failure number `failures`, from 1, in milliseconds: twice as long each time, from 0.2 s to 10 s unless
 * `backoff` says otherwise. `fraction`, from 0 to 1, is what chance leaves of its second half, so that those who fail together
 * do not come back together.
 */
export function backoffMs(failures: number, fraction: number, backoff: Backoff = USUAL): number {
  const wholeMs = Math.min(backoff.lastMs, backoff.firstMs * 2 ** Math.min(failures - 1, 16));
  return wholeMs * (0.5 + 0.5 * fraction);
}
