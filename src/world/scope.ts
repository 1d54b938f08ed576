/**
 * Structured concurrency: no promise floats. A task belongs to a scope; a scope that ends cancels its tasks, waits for
 * them, and then runs what was deferred, in reverse.
 */
export interface Scope {
  readonly name: string;
  /** True from the moment that `end` is called, or that the deadline has passed. */
  readonly ended: boolean;
  /** Starts a task. An error of a task ends the scope and comes out of `end`. */
  spawn(name: string, task: (scope: Scope) => Promise<void>): void;
  /** A scope inside of this one. With `timeoutMs` it ends by itself. */
  child(name: string, options?: { readonly timeoutMs?: number }): Scope;
  /** Called once when the scope ends, in reverse order of registration. */
  defer(action: () => void | Promise<void>): void;
  /** Resolves when the scope begins to end. */
  readonly done: Promise<void>;
  /** Ends all tasks and children, and waits for them. */
  end(): Promise<void>;
}
