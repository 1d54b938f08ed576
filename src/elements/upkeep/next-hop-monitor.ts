/** Watches the connections that next hops hold for this role: one stream for each next hop. */
import { create } from "@bufbuild/protobuf";
import {
  type Connection,
  type ConnectionEvent,
  ConnectionEventType,
  MonitorScopeSelectorSchema,
  State,
} from "../../api/gen/nsm/connection_pb.js";
import type { ConnectionHop } from "../../api/hops.ts";
import { NetloomError } from "../../errors/errors.ts";
import type { Watch } from "../../async/watch.ts";
import type { Scope } from "../../async/scope.ts";

/** News about a connection. */
export type Notice =
  | Loss
  /** The connection is unchanged, but the answer would be different now: its client should request again. */
  | { readonly type: "refresh" };

/** The reason why a connection may be lost. */
export type Loss =
  /** The next hop has closed it. */
  | { readonly type: "deleted" }
  /** The next hop reports that a station on the path to the endpoint is gone. */
  | { readonly type: "down" }
  /** The next hop itself may be gone. */
  | { readonly type: "broken"; readonly reason: string };

/** Describes a loss for users. */
export function describeLoss(loss: Loss): string {
  switch (loss.type) {
    case "deleted":
      return "the next hop has closed the connection";
    case "down":
      return "a station on the path to the endpoint is gone";
    case "broken":
    default:
      return `the next hop cannot be watched any more: ${loss.reason}`;
  }
}

/** One connection that is followed. */
export interface Following {
  /** Starts to deliver notices, including an earlier one since `follow`. */
  start(onNotice: (notice: Notice) => void): void;
  /** The stream has ended: call `follow` again. */
  readonly isOver: boolean;
  /** The stream ended before its first event, so notices since `follow` may be lost. */
  readonly wasDeaf: boolean;
  stop(): void;
}

export class NextHopMonitor {
  readonly #scope: Scope;
  readonly #name: string;
  readonly #streams = new Map<ConnectionHop, Stream>();

  /** `name` is the name of the role's path segment. */
  constructor(scope: Scope, name: string) {
    this.#scope = scope;
    this.#name = name;
  }

  /**
   * Follows the connection whose segment of this role is `id`. Called before the request, so that no event is missed.
   */
  follow(hop: ConnectionHop, id: string): Following {
    let stream = this.#streams.get(hop);
    if (!stream) {
      const opened: Stream = new Stream(this.#name, () => {
        if (this.#streams.get(hop) === opened) this.#streams.delete(hop);
      });
      stream = opened;
      this.#streams.set(hop, opened);
      this.#scope.spawn("watch a next hop", (task) => opened.run(hop, task));
    }
    return stream.follow(id);
  }
}

class Stream {
  readonly #name: string;
  readonly #forget: () => void;
  readonly #followers = new Map<string, Set<Follower>>();
  #close: () => void = () => undefined;
  isOver = false;
  hasBegun = false;

  constructor(name: string, forget: () => void) {
    this.#name = name;
    this.#forget = forget;
  }

  follow(id: string): Following {
    const follower = new Follower(this, () => this.#leave(id, follower));
    const followers = this.#followers.get(id) ?? new Set();
    this.#followers.set(id, followers.add(follower));
    return follower;
  }

  async run(hop: ConnectionHop, scope: Scope): Promise<void> {
    let reason = "the stream has ended";
    let isWatchable = true;
    let watch: Watch<ConnectionEvent> | undefined;
    this.#close = () => watch?.close();
    try {
      const selector = create(MonitorScopeSelectorSchema, { pathSegments: [{ name: this.#name }] });
      watch = hop.monitor({ scope }, selector);
      for await (const event of watch.within(scope)) {
        this.hasBegun = true;
        this.#tell(event);
      }
    } catch (error) {
      if (!(error instanceof NetloomError)) throw error;
      reason = error.message;
      isWatchable = !["UNIMPLEMENTED", "PERMISSION_DENIED", "UNAUTHENTICATED"].includes(error.code);
    } finally {
      this.isOver = true;
      this.#forget();
    }
    if (scope.ended) return;
    // A next hop that cannot be watched is not a loss: the next request shows whether it runs. The same holds for a
    // next hop that no request has reached yet.
    if (this.hasBegun) this.#tellAll({ type: "broken", reason });
    else if (isWatchable) this.#tellAll({ type: "broken", reason }, ({ hasStarted }) => hasStarted);
  }

  #tell(event: ConnectionEvent): void {
    for (const connection of Object.values(event.connections)) {
      for (const id of this.#idsIn(connection)) {
        const notice = noticeOf(event.type, connection);
        for (const follower of this.#followers.get(id) ?? []) follower.hear(notice);
      }
    }
  }

  /** Ids of the own segments that come directly before the next hop's segment. */
  #idsIn({ path }: Connection): string[] {
    return (path?.pathSegments ?? []).flatMap((segment, i) =>
      segment.name === this.#name && path && (path.index === i || path.index === i + 1) ? [segment.id] : [],
    );
  }

  #tellAll(loss: Loss, isFor: (follower: Follower) => boolean = () => true): void {
    const followers = [...this.#followers.values()].flatMap((each) => [...each]);
    for (const follower of followers.filter(isFor)) follower.hear(loss);
  }

  #leave(id: string, follower: Follower): void {
    const followers = this.#followers.get(id);
    followers?.delete(follower);
    if (followers?.size === 0) this.#followers.delete(id);
    if (this.#followers.size > 0 || this.isOver) return;
    this.#forget();
    this.#close();
  }
}

class Follower implements Following {
  readonly #stream: Stream;
  readonly #leave: () => void;
  #onNotice: ((notice: Notice) => void) | undefined;
  #early: Notice | undefined;

  constructor(stream: Stream, leave: () => void) {
    this.#stream = stream;
    this.#leave = leave;
  }

  get isOver(): boolean {
    return this.#stream.isOver;
  }

  get wasDeaf(): boolean {
    return this.#stream.isOver && !this.#stream.hasBegun;
  }

  get hasStarted(): boolean {
    return this.#onNotice !== undefined;
  }

  start(onNotice: (notice: Notice) => void): void {
    this.#onNotice = onNotice;
    if (this.#early) onNotice(this.#early);
    this.#early = undefined;
  }

  hear(notice: Notice | undefined): void {
    if (!this.#onNotice) this.#early = notice;
    else if (notice) this.#onNotice(notice);
  }

  stop(): void {
    this.#onNotice = undefined;
    this.#leave();
  }
}

function noticeOf(type: ConnectionEventType, { state }: Connection): Notice | undefined {
  if (type === ConnectionEventType.DELETE) return { type: "deleted" };
  if (state === State.DOWN) return { type: "down" };
  return state === State.REFRESH_REQUESTED ? { type: "refresh" } : undefined;
}
