/** The data that travels beside a message through a chain. */
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
 * Lets an element start a request or a close of its own resource later: a refresh, a time-out, a heal. No outside caller waits
 * for it: a bug is logged, and becomes an operating error.
 */
export interface Trigger {
  /** Runs the last request again through the whole chain; with `reselect` a new endpoint is looked for. `why` names its span. */
  request(options: { readonly why: string; readonly reselect?: boolean }): Promise<void>;
  /** Closes the resource if `isDue`, called in the close's turn, is true: the situation may have changed since. Default: true. */
  close(options?: { readonly reason?: CloseReason; readonly isDue?: () => boolean }): Promise<void>;
  /** Runs `task` after all running and waiting calls; not at all if the resource is closed by then. */
  afterwards(task: () => void): Promise<void>;
  /** Runs a task of an element; `what` describes it. Its errors become operating errors, like those of the calls above. */
  guard<T>(what: string, task: () => Promise<T>): Promise<T>;
}

/** `lost`: nobody asked for the close, the client went silent. The resources of the connection may be kept for it for a while. */
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
  /** Metadata that came beside the message. */
  readonly metadata?: Metadata;
  /** Metadata that goes beside the message to the next station. */
  readonly outgoing?: Metadata;
  /** Makes further outgoing metadata when the receiver is known: a token. */
  readonly vouch?: ((audience: Peer) => Metadata) | undefined;
  /** Reason of a close. Default: `asked`. */
  readonly reason?: CloseReason;
  /** URL of the next station, chosen by an element before `connect`. */
  readonly nextUrl?: string;
}

/** An alarm for an element. A failure of its action is only logged; the action itself has to deal with it. */
export function alarmOf({ world, log }: Pick<Call, "world" | "log">): Alarm {
  return new Alarm(world.scope, world.clock, (task, error) =>
    log.debug("a task of a connection has failed", { task, error: error.message }),
  );
}
