import { NetloomError } from "../errors/errors.ts";
import type { Scope } from "../async/scope.ts";
import type { Clock } from "../async/clock.ts";
import type { Life } from "./life.ts";

/** Wall time at the start of every run: 2026-01-01T00:00:00Z. */
const EPOCH_MS = 1_767_225_600_000;

/** The virtual clock of one life of a host. */
export class SimClock implements Clock {
  readonly #life: Life;
  readonly #wallOffsetMs: () => number;

  /** `wallOffsetMs` returns the current error of the host's wall clock. */
  constructor(life: Life, wallOffsetMs: () => number = () => 0) {
    this.#life = life;
    this.#wallOffsetMs = wallOffsetMs;
  }

  wallMs(): number {
    this.#life.check("clock.wallMs");
    return EPOCH_MS + this.#wallOffsetMs() + Math.floor(this.#life.scheduler.nowMs);
  }

  monotonicMs(): number {
    this.#life.check("clock.monotonicMs");
    return this.#life.scheduler.nowMs;
  }

  sleep(durationMs: number, scope?: Scope): Promise<void> {
    const detail = `${Math.round(durationMs * 1000) / 1000} ms${scope ? ` in ${scope.name}` : ""}`;
    return this.#life.promise({ kind: "clock.sleep", detail }, (resolve, reject) => {
      const cancel = this.#life.after({ kind: "clock.sleep", detail, delayMs: durationMs }, () => {
        forget();
        return resolve();
      });
      const forget = scopeEnd(scope, () => {
        cancel();
        this.#life.after({ kind: "clock.sleep", detail }, () =>
          reject(new NetloomError("CANCELLED", `sleep ${durationMs} ms: ${scope?.name} has ended`)),
        );
      });
    });
  }
}

/** `Scope.onEnd` for an optional scope. */
export function scopeEnd(scope: Scope | undefined, action: () => void): () => void {
  return scope ? scope.onEnd(action) : () => undefined;
}
