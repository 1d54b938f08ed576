/** What travels beside a message through a chain. */
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
 * What the elements of one chain remember about one resource, from its first request to its close. Only `begin` makes
 * one, and the calls of a resource are serial, so that no element needs a lock or a map of its own.
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
 * Lets an element start a request or a close of its own resource later: a refresh, a time-out, a heal. Nobody outside
 * waits for them: a bug in one is logged, and becomes an operating error.
 */
export interface Trigger {
  /** Runs the last request again through the whole chain; with `reselect` a new endpoint is looked for. `why` names its span. */
  request(options: { readonly why: string; readonly reselect?: boolean }): Promise<void>;
  /** `isDue` is asked when its turn has come: what was decided before may have been overtaken. Default: it is. */
  close(options?: { readonly reason?: CloseReason; readonly isDue?: () => boolean }): Promise<void>;
  /** Runs `task` when the calls that are under way or wait are done; not at all if the resource is closed by then. */
  afterwards(task: () => void): Promise<void>;
  /** Runs a task of an element's own, `what` it does: its errors are operating errors, as are those of the calls above. */
  guard<T>(what: string, task: () => Promise<T>): Promise<T>;
}

/** `lost`: nobody has asked for it, the client went silent. What it held may wait for it a while. */
export type CloseReason = "asked" | "lost";

export interface Call {
  readonly world: World;
  /** Ends when the caller goes away, or at the deadline. */
  readonly scope: Scope;
  /** On `World.clock.monotonicMs`. */
  readonly deadlineMs: number;
  readonly peer: Peer;
  readonly memory: Memory;
  /** The step of the trace that the call is in: of the element that has it. */
  readonly span: Span;
  /** Lines that say which resource they are about. */
  readonly log: Log;
  readonly trigger: Trigger;
  /** What came beside the message. */
  readonly metadata?: Metadata;
  /** What travels beside the message to the next station. */
  readonly outgoing?: Metadata;
  /** Makes what else travels there, when it is known who gets it: a token. */
  readonly vouch?: ((audience: Peer) => Metadata) | undefined;
  /** Of a close. Default: `asked`. */
  readonly reason?: CloseReason;
  /** URL of the next station, as an element before `connect` has chosen it. */
  readonly nextUrl?: string;
}

/** An alarm of an element: what its action fails of is written down, and the action's own to mend. */
export function alarmOf({ world, log }: Pick<Call, "world" | "log">): Alarm {
  return new Alarm(world.scope, world.clock, (task, error) =>
    log.debug("a task of a connection has failed", { task, error: error.message }),
  );
}
