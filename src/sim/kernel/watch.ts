/** A subscription to a simulated kernel: bounded, delayed, and with a `resync` event for lost notifications. */
import { isServedBy, type KernelEvent, purposeOf, type WatchPurpose } from "../../kernel/kernel.ts";
import { Watch } from "../../async/watch.ts";
import type { Clock } from "../../async/clock.ts";

export interface SimWatchOptions {
  readonly clock: Clock;
  /** The most events that may wait. One more, and a `resync` replaces all of them. */
  readonly limit: number;
  readonly purpose: WatchPurpose;
  readonly onClose: () => void;
}

export class SimWatch extends Watch<KernelEvent> {
  readonly #clock: Clock;
  readonly #limit: number;
  readonly #purpose: WatchPurpose;
  readonly #onClose: () => void;
  #queue: { readonly event: KernelEvent; readonly dueMs: number }[] = [];
  #waiting: (() => void)[] = [];
  #isClosed = false;

  constructor({ clock, limit, purpose, onClose }: SimWatchOptions) {
    super();
    this.#clock = clock;
    this.#limit = limit;
    this.#purpose = purpose;
    this.#onClose = onClose;
  }

  push(event: KernelEvent, dueMs: number): void {
    if (!isServedBy(purposeOf(event), this.#purpose)) return;
    if (this.#queue.length >= this.#limit) {
      this.lose("ENOBUFS: notifications were lost");
      return;
    }
    const after = this.#queue.findIndex((each) => each.dueMs > dueMs);
    this.#queue.splice(after < 0 ? this.#queue.length : after, 0, { event, dueMs });
    this.#wake();
  }

  /** Replaces the unread events by a `resync`. */
  lose(reason: string): void {
    this.#queue = [{ event: { type: "resync", reason }, dueMs: this.#clock.monotonicMs() }];
    this.#wake();
  }

  async take(): Promise<KernelEvent | undefined> {
    while (!this.#isClosed) {
      const head = this.#queue[0];
      const waitMs = head ? head.dueMs - this.#clock.monotonicMs() : undefined;
      if (head && waitMs !== undefined && waitMs <= 0) {
        this.#queue.shift();
        return head.event;
      }
      if (waitMs === undefined) await new Promise<void>((resolve) => this.#waiting.push(resolve));
      else await this.#clock.sleep(waitMs);
    }
    return undefined;
  }

  close(): void {
    this.#isClosed = true;
    this.#queue = [];
    this.#onClose();
    this.#wake();
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
