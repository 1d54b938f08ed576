/** How far an attachment is. */
import type { NetloomError } from "../errors/errors.ts";
import type { Clock } from "../async/clock.ts";

export type AttachmentState = "waiting" | "requesting" | "up" | "healing" | "failed" | "closing";

export interface ProgressView {
  readonly state: AttachmentState;
  /** On `Clock.wallMs`: since when it is in this state. */
  readonly sinceMs: number;
  /** Why it waits, heals or has failed: what was heard, or refused, last. */
  readonly reason: string;
  readonly error?: NetloomError;
  /** On `Clock.wallMs`. */
  readonly nextTryMs?: number;
  /** Requests since it was up last. */
  readonly attempts: number;
}

export class Progress {
  readonly #clock: Clock;
  readonly #onChange: (view: ProgressView) => void;
  #view: ProgressView;

  constructor(clock: Clock, onChange: (view: ProgressView) => void) {
    this.#clock = clock;
    this.#onChange = onChange;
    this.#view = { state: "waiting", sinceMs: clock.wallMs(), reason: "it has just begun", attempts: 0 };
  }

  get view(): ProgressView {
    return this.#view;
  }

  waiting(reason: string, error?: NetloomError): void {
    this.#set({ state: "waiting", reason, ...(error && { error }) });
  }

  /** Until it is answered, what the last try has come to is all that is known. */
  requesting(what: string): void {
    const { state, attempts, error, reason } = this.#view;
    const known =
      state === "failed" && error ? { reason, error } : { reason: `${what}; there is no answer yet` };
    this.#set({ state: "requesting", ...known, attempts: attempts + 1 });
  }

  up(): void {
    if (this.#view.state !== "up") this.#set({ state: "up", reason: "", attempts: 0 });
  }

  /** It was up. With `error` it has been asked for again, in vain. */
  healing(reason: string, error?: NetloomError): void {
    const { attempts } = this.#view;
    this.#set({ state: "healing", reason, ...(error && { error, attempts: attempts + 1 }) });
  }

  /** The next try is in `delayMs`. */
  failed(error: NetloomError, delayMs: number): void {
    const nextTryMs = this.#clock.wallMs() + delayMs;
    this.#set({ state: "failed", reason: error.message, error, nextTryMs });
  }

  /** For good. */
  closing(): void {
    this.#set({ state: "closing", reason: "" });
  }

  #set(next: Omit<ProgressView, "sinceMs" | "attempts"> & { readonly attempts?: number }): void {
    const { state, sinceMs, attempts } = this.#view;
    if (state === "closing") return;
    this.#view = { attempts, ...next, sinceMs: state === next.state ? sinceMs : this.#clock.wallMs() };
    this.#onChange(this.#view);
  }
}
