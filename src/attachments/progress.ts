/** The progress of one attachment. */
import type { NetloomError } from "../errors/errors.ts";
import type { Clock } from "../async/clock.ts";
import type { AttachmentState } from "./attachment-state.ts";
import { type Condition, conditionsOf } from "./conditions.ts";

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
  readonly conditions: readonly Condition[];
}

export class Progress {
  readonly #clock: Clock;
  readonly #onChange: (view: ProgressView) => void;
  #view: ProgressView;
  #isProgrammed = false;

  constructor(clock: Clock, onChange: (view: ProgressView) => void) {
    this.#clock = clock;
    this.#onChange = onChange;
    const sinceMs = clock.wallMs();
    const [state, reason] = ["waiting", "it has just begun"] as const;
    const conditions = conditionsOf({ state, message: reason, isProgrammed: false }, sinceMs);
    this.#view = { state, sinceMs, reason, attempts: 0, conditions };
  }

  get view(): ProgressView {
    return this.#view;
  }

  waiting(reason: string, error?: NetloomError): void {
    this.#isProgrammed = false;
    this.#set({ state: "waiting", reason, ...(error && { error }) });
  }

  /** It is there, but its workload, a port, lets no packet pass. */
  linkDown(reason: string): void {
    this.#set({ state: "waiting", reason }, reason);
  }

  /** Until it is answered, what the last try has come to is all that is known. */
  requesting(what: string): void {
    const { state, attempts, error, reason } = this.#view;
    const known =
      state === "failed" && error ? { reason, error } : { reason: `${what}; there is no answer yet` };
    this.#isProgrammed = false;
    this.#set({ state: "requesting", ...known, attempts: attempts + 1 });
  }

  up(): void {
    this.#isProgrammed = true;
    if (this.#view.state !== "up") this.#set({ state: "up", reason: "", attempts: 0 });
  }

  /** It was up. With `error` it has been asked for again, in vain. */
  healing(reason: string, error?: NetloomError): void {
    const { attempts } = this.#view;
    this.#set({ state: "healing", reason, ...(error && { error, attempts: attempts + 1 }) });
  }

  /** The next try is in `delayMs`. */
  failed(error: NetloomError, delayMs: number): void {
    this.#isProgrammed = false;
    const nextTryMs = this.#clock.wallMs() + delayMs;
    this.#set({ state: "failed", reason: error.message, error, nextTryMs });
  }

  /** For good. */
  closing(): void {
    this.#isProgrammed = false;
    this.#set({ state: "closing", reason: "" });
  }

  #set(
    next: Omit<ProgressView, "sinceMs" | "attempts" | "conditions"> & { readonly attempts?: number },
    whyDown?: string,
  ): void {
    const { state, sinceMs, attempts, conditions: before } = this.#view;
    if (state === "closing") return;
    const nowMs = this.#clock.wallMs();
    const facts = {
      state: next.state,
      message: next.reason,
      isProgrammed: this.#isProgrammed,
      whyDown,
      cause: next.error?.reason?.name,
    };
    const conditions = conditionsOf(facts, nowMs, before);
    this.#view = { attempts, ...next, conditions, sinceMs: state === next.state ? sinceMs : nowMs };
    this.#onChange(this.#view);
  }
}
