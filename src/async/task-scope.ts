/**
 * The one implementation of `Scope`, and `race`. It depends on a `Clock` only, so the simulated, the recorded and the real
 * world share it. `world` holds interfaces only, so it lives here.
 */
import { hasCode, NetloomError } from "../errors/errors.ts";
import type { Scope } from "./scope.ts";
import type { Clock } from "./clock.ts";

/** Creates the root scope of a world. */
export function rootScope(name: string, clock: Clock): Scope {
  return new TaskScope(name, clock, undefined, undefined);
}

/**
 * Settles with the first of `promises`. Unlike Promise.race it is allowed in the deterministic zone, on one condition: the
 * losers belong to a scope that the caller ends. The error of a loser is dropped.
 */
export function race<T>(promises: readonly Promise<T>[]): Promise<T> {
  return new Promise((resolve, reject) => {
    for (const promise of promises) promise.then(resolve, reject);
  });
}

class TaskScope implements Scope {
  readonly name: string;
  readonly deadlineMs: number | undefined;
  readonly done: Promise<void>;
  readonly #clock: Clock;
  readonly #parent: TaskScope | undefined;
  readonly #children = new Set<TaskScope>();
  readonly #tasks = new Map<Scope, Promise<void>>();
  readonly #onEnd = new Set<() => void>();
  readonly #deferred: (() => void | Promise<void>)[] = [];
  #resolveDone: () => void = () => undefined;
  #finished: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(name: string, clock: Clock, parent: TaskScope | undefined, timeoutMs: number | undefined) {
    this.name = name;
    this.#clock = clock;
    this.#parent = parent;
    this.done = new Promise((resolve) => (this.#resolveDone = resolve));
    const own = timeoutMs === undefined ? Infinity : clock.monotonicMs() + timeoutMs;
    const deadline = Math.min(own, parent?.deadlineMs ?? Infinity);
    this.deadlineMs = deadline === Infinity ? undefined : deadline;
    if (timeoutMs !== undefined) {
      clock.sleep(timeoutMs, this).then(
        () => this.#begin(),
        () => undefined,
      );
    }
  }

  get ended(): boolean {
    return this.#finished !== undefined;
  }

  get running(): readonly string[] {
    return [...this.#children].flatMap((child) => [
      ...(this.#tasks.has(child) ? [child.name] : []),
      ...child.running.map((name) => `${child.name}/${name}`),
    ]);
  }

  spawn(name: string, task: (scope: Scope) => Promise<void>): void {
    const scope = this.child(name);
    this.#tasks.set(scope, Promise.resolve());
    this.#tasks.set(
      scope,
      this.#run(scope, task).finally(() => this.#tasks.delete(scope)),
    );
  }

  async #run(scope: Scope, task: (scope: Scope) => Promise<void>): Promise<void> {
    try {
      try {
        await task(scope);
      } finally {
        await scope.end();
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  child(name: string, options: { readonly timeoutMs?: number } = {}): Scope {
    if (this.ended) throw new NetloomError("CANCELLED", `start ${name}: ${this.name} has ended`);
    const child = new TaskScope(name, this.#clock, this, options.timeoutMs);
    this.#children.add(child);
    return child;
  }

  defer(action: () => void | Promise<void>): void {
    this.#deferred.push(action);
  }

  onEnd(action: () => void): () => void {
    if (this.ended) {
      action();
      return () => undefined;
    }
    // A new function for each registration, so that the same `action` may be given twice.
    const registered = (): void => action();
    this.#onEnd.add(registered);
    return () => this.#onEnd.delete(registered);
  }

  end(): Promise<void> {
    this.#leaveParent();
    return this.#begin();
  }

  #begin(): Promise<void> {
    if (this.#finished) return this.#finished;
    let finish: () => void = () => undefined;
    this.#finished = new Promise<void>((resolve) => (finish = resolve)).then(() => this.#finish());
    // A scope that ends by itself may have no waiter. The error is kept for `end` of this scope or of its parent.
    this.#finished.catch(() => undefined);
    for (const child of this.#children) child.#begin().catch(() => undefined);
    for (const action of this.#onEnd) action();
    this.#onEnd.clear();
    this.#resolveDone();
    finish();
    return this.#finished;
  }

  async #finish(): Promise<void> {
    // An ending scope starts no task, so these sets only shrink.
    await Promise.all(this.#tasks.values());
    for (const child of this.#children) await this.#keepError(() => child.#begin());
    for (const action of this.#deferred.reverse()) await this.#keepError(action);
    if (this.#failure) throw this.#failure.error;
    this.#leaveParent();
  }

  #leaveParent(): void {
    if (this.#parent) this.#parent.#children.delete(this);
  }

  async #keepError(action: () => void | Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    if (!(this.ended && hasCode(error, "CANCELLED"))) this.#failure ??= { error };
    this.#begin().catch(() => undefined);
  }
}
