/**
 * Virtual time. The scheduler takes the next event by (time, tie), lets it settle one promise of a World, and lets the
 * microtasks drain before it takes another (rule R4). Ties are shuffled by the seed: that is how interleavings are found.
 */
import { NetloomError } from "../errors/errors.ts";
import { EventQueue, type QueuedEvent } from "./event-queue.ts";
import { History } from "./history.ts";
import { SimRandom } from "./random.ts";

/**
 * Resolves when no microtask is left, in a turn of the host's event loop: `() => new Promise((go) => setImmediate(go))`.
 * It comes from outside, because the simulator keeps the rules of the zone itself.
 */
export type Drain = () => Promise<void>;

export interface SchedulerOptions {
  readonly seed: string;
  readonly drain: Drain;
  /** How many entries of the history are kept for people. Default: 10,000. */
  readonly keepHistory?: number;
  /** A run that is not over by then is stuck in a loop. Default: ten minutes of virtual time. */
  readonly limitMs?: number;
}

/** Nothing can happen any more, or something goes on for ever, and the goal was not reached. */
export class SimulationStuck extends NetloomError {
  override readonly name: string = "SimulationStuck";
  /** Who waits for what. */
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

  /** Virtual milliseconds since the run began. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /**
   * Runs `action` once, `delayMs` from now; what it returns goes to the history as the outcome. `kind` is the sort of
   * event (`disk.sync`), `detail` the rest. Returns a function that cancels it.
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

  /** Adds a line to the history that is no event. */
  note(host: string, what: string): void {
    this.history.record({ timeMs: this.#nowMs, host, what });
  }

  /** A programmer's error: the run ends with it. */
  fail(error: unknown): void {
    this.#failure ??= { error };
  }

  /** Registers somebody who can say what he waits for when the run is stuck. The result takes that back. */
  onStuck(waiting: () => readonly string[]): () => void {
    this.#waiters.add(waiting);
    return () => this.#waiters.delete(waiting);
  }

  /** Runs until `goal` settles, and settles likewise. `SimulationStuck` if that cannot happen any more. */
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

  /** Runs until nothing is left to happen. Servers and watchers may wait for ever. */
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
