/**
 * Structured concurrency: no promise floats. A task belongs to a scope; a scope that ends cancels its tasks, waits for
 * them, and then runs what was deferred, in reverse. A scope is also the one deadline and the one signal of the house:
 * what takes long takes a scope, and rejects with CANCELLED when that ends first.
 *
 * There is one implementation, `rootScope` in src/async/task-scope.ts.
 */
export interface Scope {
  readonly name: string;
  /** True from the moment that `end` is called, a task has failed, or the deadline has passed. */
  readonly ended: boolean;
  /** Monotonic time at which it ends by itself: the earliest of its own deadline and those of the scopes around it. */
  readonly deadlineMs: number | undefined;
  /** Tasks that still run, for people: `serve/request 7`. */
  readonly running: readonly string[];
  /**
   * Starts a task. It gets a scope of its own, which ends when the task returns. An error of a task ends the scope and
   * comes out of `end`, except for CANCELLED after the scope has ended. Throws CANCELLED if the scope has ended.
   */
  spawn(name: string, task: (scope: Scope) => Promise<void>): void;
  /** A scope inside of this one. With `timeoutMs` it ends by itself. Whoever makes it calls its `end`. */
  child(name: string, options?: { readonly timeoutMs?: number }): Scope;
  /** Called once when all tasks are over, in reverse order of registration. */
  defer(action: () => void | Promise<void>): void;
  /** Calls `action` once when the scope begins to end; at once if it already has. The result takes that back. */
  onEnd(action: () => void): () => void;
  /** Resolves when the scope begins to end. For one that waits once; a loop uses `onEnd`. */
  readonly done: Promise<void>;
  /**
   * Ends all tasks and children, and waits for them. Rejects with the first error of a task. A task of the scope must
   * not wait for it: it returns or throws.
   */
  end(): Promise<void>;
}
