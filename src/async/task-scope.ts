/**
 * The one implementation of `Scope`, and `race`. It is code over a `Clock` with no choice in it, so the simulated, the
 * recorded and the real world all use it. It lives with the engine because `world` holds interfaces only.
 */
import { hasCode, NetloomError } from "../errors/errors.ts";
import type { Scope } from "./scope.ts";
import type { Clock } from "./clock.ts";

/** The root of a world's scopes. */
export function rootScope(name: string, clock: Clock): Scope {
  return new TaskScope(name, clock, undefined, undefined);
}

/**
 * Settles as the first of `promises`. Unlike Promise.race it is allowed in the zone, on one condition: what loses
 * belongs to a scope that the caller ends. The error of a loser is dropped.
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
    // A registration of its own, so that the same function may be given twice.
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
    // Nobody may be waiting when a scope ends by itself. The error stays for `end`, its own or that of the parent.
    this.#finished.catch(() => undefined);
    for (const child of this.#children) child.#begin().catch(() => undefined);
    for (const action of this.#onEnd) action();
    this.#onEnd.clear();
    this.#resolveDone();
    finish();
    return this.#finished;
  }

  async #finish(): Promise<void> {
    // A task that is ending may still spawn nothing, so these sets only shrink.
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
