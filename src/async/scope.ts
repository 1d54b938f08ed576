/**
 * Structured concurrency: no promise floats. A task belongs to a scope. A scope that ends cancels its tasks, waits for
 * them, and then runs the deferred actions in reverse. A scope is also the only deadline and cancellation signal in
 * Netloom: a long-running function takes a scope, and rejects with CANCELLED when the scope ends first.
 *
 * There is one implementation, `rootScope` in src/async/task-scope.ts.
 */
export interface Scope {
  readonly name: string;
  /** True from the moment that `end` is called, a task fails, or the deadline passes. */
  readonly ended: boolean;
  /** Monotonic time at which the scope ends by itself: the earliest deadline of this scope and its ancestors. */
  readonly deadlineMs: number | undefined;
  /** Names of the tasks that still run, for messages: `serve/request 7`. */
  readonly running: readonly string[];
  /**
   * Starts a task. The task gets its own scope, which ends when the task returns. An error of a task ends this scope, and
   * `end` rejects with that error; CANCELLED after the scope has ended is ignored. Throws CANCELLED if the scope has ended.
   */
  spawn(name: string, task: (scope: Scope) => Promise<void>): void;
  /** Creates a child scope. With `timeoutMs` the child ends by itself. The caller must call `end` on it. */
  child(name: string, options?: { readonly timeoutMs?: number }): Scope;
  /** Calls `action` once when all tasks are over, in reverse order of registration. */
  defer(action: () => void | Promise<void>): void;
  /**
   * Calls `action` once when the scope begins to end, or at once if it has already. The result cancels the registration.
   */
  onEnd(action: () => void): () => void;
  /** Resolves when the scope begins to end. For a single wait; a loop uses `onEnd`. */
  readonly done: Promise<void>;
  /**
   * Ends all tasks and children, and waits for them. Rejects with the first error of a task. A task must not wait for the
   * end of its own scope: it returns or throws.
   */
  end(): Promise<void>;
}
