/** The progress of one attachment. */
import type { NetloomError } from "../errors/errors.ts";
import type { Clock } from "../async/clock.ts";
import type { AttachmentState } from "./attachment-state.ts";
import { type Condition, conditionsOf } from "./conditions.ts";
import { NOT_PROVEN, type Reachability } from "./reachability.ts";

export interface ProgressView {
  readonly state: AttachmentState;
  /** Start time of this state, on `Clock.wallMs`. */
  readonly sinceMs: number;
  /** The latest reason why the attachment waits, heals or has failed. */
  readonly reason: string;
  readonly error?: NetloomError;
  /** Time of the next try, on `Clock.wallMs`. */
  readonly nextTryMs?: number;
  /** The number of requests since the attachment was last up. */
  readonly attempts: number;
  readonly conditions: readonly Condition[];
}

/** Whether two views differ in their conditions only. */
export function isSameState(a: ProgressView, b: ProgressView): boolean {
  return a.state === b.state && a.reason === b.reason && a.error === b.error && a.attempts === b.attempts;
}

export class Progress {
  readonly #clock: Clock;
  readonly #onChange: (view: ProgressView) => void;
  #view: ProgressView;
  #isProgrammed = false;
  #whyDown: string | undefined;
  #reachability: Reachability = NOT_PROVEN;

  constructor(clock: Clock, onChange: (view: ProgressView) => void) {
    this.#clock = clock;
    this.#onChange = onChange;
    const sinceMs = clock.wallMs();
    const [state, reason] = ["waiting", "it has just started"] as const;
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

  /** The wire or endpoint exists, but its workload, a port, lets no packet pass. */
  linkDown(reason: string): void {
    this.#isProgrammed = true;
    this.#set({ state: "waiting", reason }, reason);
  }

  /** Starts a try. Until it is answered, the view keeps the error of the last try. */
  requesting(what: string): void {
    const { state, attempts, error, reason } = this.#view;
    const known = state === "failed" && error ? { reason, error } : { reason: `${what}; no answer yet` };
    this.#isProgrammed = false;
    this.#set({ state: "requesting", ...known, attempts: attempts + 1 });
  }

  up(): void {
    this.#isProgrammed = true;
    if (this.#view.state !== "up") this.#set({ state: "up", reason: "", attempts: 0 });
  }

  /** A wire that was up is lost. With `error` a new request has failed. */
  healing(reason: string, error?: NetloomError): void {
    const { attempts } = this.#view;
    this.#set({ state: "healing", reason, ...(error && { error, attempts: attempts + 1 }) });
  }

  /** A try has failed. The next one is in `delayMs`. */
  failed(error: NetloomError, delayMs: number): void {
    this.#isProgrammed = false;
    const nextTryMs = this.#clock.wallMs() + delayMs;
    this.#set({ state: "failed", reason: error.message, error, nextTryMs });
  }

  /** Takes over the reachability of the wire; `undefined` if this host has no wire. Only the conditions change. */
  prove(reachability: Reachability | undefined): void {
    const { sinceMs: _since, conditions: _conditions, ...rest } = this.#view;
    this.#reachability = reachability ?? NOT_PROVEN;
    const wasUp = rest.state === "up" || rest.state === "healing";
    this.#isProgrammed = reachability !== undefined && (wasUp || this.#isProgrammed);
    this.#set(rest, this.#whyDown);
  }

  /** The attachment is being removed. This state is final. */
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
    this.#whyDown = whyDown;
    const nowMs = this.#clock.wallMs();
    const facts = {
      state: next.state,
      message: next.reason,
      isProgrammed: this.#isProgrammed,
      reachability: this.#reachability,
      whyDown,
      cause: next.error?.reason?.name,
    };
    const conditions = conditionsOf(facts, nowMs, before);
    this.#view = { attempts, ...next, conditions, sinceMs: state === next.state ? sinceMs : nowMs };
    this.#onChange(this.#view);
  }
}
