/** The clock of all asynchronous code. */
import type { Scope } from "./scope.ts";

export interface Clock {
  /** Wall time, milliseconds since the epoch. May jump: never measure with it. */
  wallMs(): number;
  /** Milliseconds since an arbitrary start. Never goes back. */
  monotonicMs(): number;
  /** Resolves after `durationMs`; rejects with CANCELLED when `scope` ends first. */
  sleep(durationMs: number, scope?: Scope): Promise<void>;
}
