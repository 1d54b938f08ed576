/** The data that goes through a chain with a message. */
import { Alarm } from "../async/alarm.ts";
import type { Log } from "../observe/log.ts";
import type { Span } from "../observe/trace.ts";
import type { Scope } from "../async/scope.ts";
import type { World } from "../world/world.ts";
import type { Metadata } from "../world/hops.ts";
import type { Peer } from "../world/peer.ts";

/** Names a value in a `Memory`, with its type. Compared by identity. */
export interface MemoryKey<T> {
  readonly name: string;
  /** Never set; carries the type. */
  readonly type?: T;
}

export function memoryKey<T>(name: string): MemoryKey<T> {
  return { name };
}

/**
 * The data that the elements of one chain keep about one resource, from its first request to its close. Only `begin` makes one,
 * and the calls of a resource are serial, so that no element needs a lock or a map of its own.
 */
export class Memory {
  readonly #values = new Map<MemoryKey<unknown>, unknown>();

  get<T>(key: MemoryKey<T>): T | undefined {
    return this.#values.get(key) as T | undefined;
  }

  set<T>(key: MemoryKey<T>, value: T): void {
    this.#values.set(key, value);
  }

  delete<T>(key: MemoryKey<T>): T | undefined {
    const value = this.get(key);
    this.#values.delete(key);
    return value;
  }
}

/**
 * Lets an element start a request or a close of its own resource later: a refresh, a time-out, a heal. No outside
 * caller waits for the result. A bug is logged, and becomes an operating error.
 */
export interface Trigger {
  /**
   * Runs the last request again through the whole chain; with `reselect` it searches for a new endpoint. `why` is the
   * name of the span.
   */
  request(options: { readonly why: string; readonly reselect?: boolean }): Promise<void>;
  /** Closes the resource if `isDue`, called in the close's turn, is true: the situation may have changed since. Default: true. */
  close(options?: { readonly reason?: CloseReason; readonly isDue?: () => boolean }): Promise<void>;
  /** Runs `task` after all running and waiting calls; not at all if the resource is closed by then. */
  afterwards(task: () => void): Promise<void>;
  /** Runs a task of an element; `what` describes it. Its errors become operating errors, like those of the calls above. */
  guard<T>(what: string, task: () => Promise<T>): Promise<T>;
}

/** `lost`: nobody requested the close; the client stopped responding. Its resources may be kept for a while. */
export type CloseReason = "asked" | "lost";

export interface Call {
  readonly world: World;
  /** Ends when the caller goes away, or at the deadline. */
  readonly scope: Scope;
  /** On `World.clock.monotonicMs`. */
  readonly deadlineMs: number;
  readonly peer: Peer;
  readonly memory: Memory;
  /** The span of the element that has the call. */
  readonly span: Span;
  /** A log whose lines name the resource. */
  readonly log: Log;
  readonly trigger: Trigger;
  /** Metadata that came with the message. */
  readonly metadata?: Metadata;
  /** Metadata that goes with the message to the next station. */
  readonly outgoing?: Metadata;
  /** Makes more outgoing metadata, such as a token, when the receiver is known. */
  readonly vouch?: ((audience: Peer) => Metadata) | undefined;
  /** Reason of a close. Default: `asked`. */
  readonly reason?: CloseReason;
  /** URL of the next station, chosen by an element before `connect`. */
  readonly nextUrl?: string;
}

/** An alarm for an element. A failure of its action is only logged: the action handles its own errors. */
export function alarmOf({ world, log }: Pick<Call, "world" | "log">): Alarm {
  return new Alarm(world.scope, world.clock, (task, error) =>
    log.debug("a task of a connection has failed", { task, error: error.message }),
  );
}
