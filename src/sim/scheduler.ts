/**
 * Virtual time. The scheduler takes the next event by (time, tie), lets it settle one promise of a World, and drains the
 * microtasks before it takes another (rule R4). The seed shuffles ties, which explores interleavings.
 */
import { NetloomError } from "../errors/errors.ts";
import { EventQueue, type QueuedEvent } from "./event-queue.ts";
import { History } from "./history.ts";
import { SimRandom } from "./random.ts";

/**
 * Resolves when no microtask is left, in a turn of the host's event loop: `() => new Promise((go) => setImmediate(go))`. It
 * is passed in, because the simulator itself obeys the rules of the deterministic zone.
 */
export type Drain = () => Promise<void>;

export interface SchedulerOptions {
  readonly seed: string;
  readonly drain: Drain;
  /** The number of history entries to keep for display. Default: 10,000. */
  readonly keepHistory?: number;
  /** A longer run counts as stuck in a loop. Default: ten minutes of virtual time. */
  readonly limitMs?: number;
}

/** No event is left, or the time limit has passed, and the goal was not reached. */
export class SimulationStuck extends NetloomError {
  override readonly name: string = "SimulationStuck";
  /** The waiting tasks and calls. */
  readonly waiting: readonly string[];

  constructor(message: string, waiting: readonly string[]) {
    super("ABORTED", `${message}; waiting: ${waiting.join(", ") || "nobody"}`);
    this.waiting = waiting;
  }
}

export class Scheduler {
  readonly seed: string;
  readonly history: History;
  readonly #drain: Drain;
  readonly #limitMs: number;
  readonly #queue = new EventQueue();
  readonly #ties: SimRandom;
  readonly #tieCounts = new Map<string, number>();
  readonly #waiters = new Set<() => readonly string[]>();
  #nowMs = 0;
  #sequence = 0;
  #failure: { readonly error: unknown } | undefined;

  constructor(options: SchedulerOptions) {
    this.seed = options.seed;
    this.history = new History(options.keepHistory ?? 10_000);
    this.#drain = options.drain;
    this.#limitMs = options.limitMs ?? 600_000;
    this.#ties = new SimRandom(options.seed, "scheduler");
  }

  /** Virtual milliseconds since the start of the run. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /**
   * Runs `action` once, `delayMs` from now. Its result goes to the history as the outcome. `kind` is the sort of event
   * (`disk.sync`), `detail` the rest. Returns a function that cancels it.
   */
  after(
    delayMs: number,
    event: { readonly host: string; readonly kind: string; readonly detail: string },
    action: () => string | void,
  ): () => void {
    const purpose = `${event.host} ${event.kind}`;
    const n = this.#tieCounts.get(purpose) ?? 0;
    this.#tieCounts.set(purpose, n + 1);
    const queued: QueuedEvent = {
      timeMs: this.#nowMs + Math.max(0, delayMs),
      tie: this.#ties.fraction(purpose, n),
      sequence: this.#sequence++,
      host: event.host,
      what: event.detail === "" ? event.kind : `${event.kind} ${event.detail}`,
      action,
    };
    this.#queue.push(queued);
    return () => {
      queued.action = undefined;
    };
  }

  /** Adds a line to the history without an event. */
  note(host: string, what: string): void {
    this.history.record({ timeMs: this.#nowMs, host, what });
  }

  /** Reports a bug: the run ends with this error. */
  fail(error: unknown): void {
    this.#failure ??= { error };
  }

  /** Registers a function that lists waiting tasks or calls when the run is stuck. The result cancels the registration. */
  onStuck(waiting: () => readonly string[]): () => void {
    this.#waiters.add(waiting);
    return () => this.#waiters.delete(waiting);
  }

  /** Runs until `goal` settles, and settles in the same way. `SimulationStuck` if that cannot happen any more. */
  async run<T>(goal: Promise<T>): Promise<T> {
    const state = { settled: false };
    const mark = (): void => {
      state.settled = true;
    };
    goal.then(mark, mark);
    await this.#drain();
    while (!state.settled) {
      if (!(await this.#step())) throw this.#stuck("nothing is left to happen");
    }
    return goal;
  }

  /** Runs until no event is left. Servers and watchers may wait for ever. */
  async runUntilQuiet(): Promise<void> {
    await this.#drain();
    while (await this.#step());
  }

  async #step(): Promise<boolean> {
    if (this.#failure) throw this.#failure.error;
    const event = this.#queue.pop();
    if (!event) return false;
    if (event.timeMs > this.#limitMs) throw this.#stuck(`no end after ${this.#limitMs} ms`);
    this.#nowMs = event.timeMs;
    const outcome = event.action?.();
    this.note(event.host, outcome === undefined ? event.what : `${event.what}: ${outcome}`);
    await this.#drain();
    if (this.#failure) throw (this.#failure as { readonly error: unknown }).error;
    return true;
  }

  #stuck(message: string): SimulationStuck {
    const waiting = [...this.#waiters].flatMap((waiter) => waiter());
    return new SimulationStuck(`run seed ${this.seed} to ${this.#nowMs.toFixed(3)} ms: ${message}`, waiting);
  }
}
