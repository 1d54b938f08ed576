/** The board on which a role publishes its connections to watchers. Upstream: sdk/pkg/networkservice/common/monitor */
import { create } from "@bufbuild/protobuf";
import {
  type Connection,
  type ConnectionEvent,
  ConnectionEventSchema,
  ConnectionEventType,
  type MonitorScopeSelector,
  type PathSegment,
  State,
} from "../../api/gen/nsm/connection_pb.js";
import type { Call } from "../../chain/call.ts";
import type { Principal } from "../../world/peer.ts";
import { type Sight, Told } from "./told.ts";
import { NetloomError } from "../../errors/errors.ts";
import { Watch } from "../../async/watch.ts";
import { describeLoss, type Notice } from "./next-hop-monitor.ts";

/** Limit on connections with unfetched news for one watcher. A watcher beyond it is cut off. */
const MAX_PENDING = 16_384;

/**
 * Guarantees
 * - A watcher sees the part of each connection that `sight` allows, and its selector applies to that part only.
 * - A watcher first gets INITIAL_STATE_TRANSFER with all connections that its selector matches, even if no connection
 *   does; then UPDATE and DELETE, in order for each connection.
 * - A slow watcher gets the last event of each connection; earlier ones are skipped. So its queue never holds more
 *   events than there are connections. A watcher that never fetches is cut off (RESOURCE_EXHAUSTED).
 * - A watcher never delays the role.
 */
export class MonitorBoard {
  readonly #connections = new Map<string, Told>();
  /** The last known reason of each connection that is down. */
  readonly #reasons = new Map<string, string>();
  readonly #watchers = new Set<Watcher>();
  readonly #maxPending: number;

  constructor(maxPending: number = MAX_PENDING) {
    this.#maxPending = maxPending;
  }

  /** Number of watchers. */
  get watching(): number {
    return this.#watchers.size;
  }

  /** Publishes the connection as established by `owner`. */
  update(connection: Connection, owner: Principal): void {
    this.#reasons.delete(connection.id);
    this.#set(new Told(connection, owner));
  }

  /**
   * Publishes the connection's last known state as DOWN. An unknown connection is ignored. If the connection is down
   * already, only `reason` is updated.
   */
  down(id: string, reason: string): void {
    if (!this.#connections.has(id)) return;
    this.#reasons.set(id, reason);
    if (this.#stateOf(id) !== State.DOWN) this.#change(id, State.DOWN);
  }

  /** The last known reason why the connection is down; `undefined` if it is not. */
  whyDown(id: string): string | undefined {
    return this.#reasons.get(id);
  }

  /**
   * Asks the connection's client to request again at once. Does nothing if the connection is unknown or down, or if its
   * client was asked already.
   */
  requestRefresh(id: string): void {
    if (this.#stateOf(id) === State.UP) this.#change(id, State.REFRESH_REQUESTED);
  }

  /** Relays a notice of the next hop, after this role's own events about calls that are running. */
  relay({ world: { scope }, trigger }: Call, id: string, notice: Notice): void {
    if (notice.type !== "refresh") this.down(id, describeLoss(notice));
    else if (!scope.ended)
      scope.spawn(`refresh of ${id}`, () => trigger.afterwards(() => this.requestRefresh(id)));
  }

  delete(id: string): void {
    const known = this.#connections.get(id);
    if (!known) return;
    this.#connections.delete(id);
    this.#reasons.delete(id);
    this.#tell(ConnectionEventType.DELETE, known);
  }

  /** `sight` is called for each connection at each event. Default: `all`. */
  watch(selector: MonitorScopeSelector, sight: (told: Told) => Sight = () => "all"): Watch<ConnectionEvent> {
    const watcher = new Watcher({ selector, sight, maxPending: this.#maxPending }, () =>
      this.#watchers.delete(watcher),
    );
    this.#watchers.add(watcher);
    watcher.begin([...this.#connections.values()]);
    return watcher;
  }

  #stateOf(id: string): State | undefined {
    return this.#connections.get(id)?.connection.state;
  }

  #change(id: string, state: State): void {
    const known = this.#connections.get(id);
    if (!known) return;
    const told = new Told(known.connection, known.owner);
    told.connection.state = state;
    this.#set(told);
  }

  #set(told: Told): void {
    this.#connections.set(told.connection.id, told);
    this.#tell(ConnectionEventType.UPDATE, told);
  }

  #tell(type: ConnectionEventType, told: Told): void {
    for (const watcher of this.#watchers) watcher.tell(type, told);
  }
}

/**
 * Returns whether the connection matches. Both criteria must hold; an empty criterion holds. Upstream: api
 * connection_helpers.go
 */
export function matchesSelector(connection: Connection, selector: MonitorScopeSelector): boolean {
  const { networkServices, pathSegments: wanted } = selector;
  if (networkServices.length > 0 && !networkServices.includes(connection.networkService)) return false;
  const segments = connection.path?.pathSegments ?? [];
  if (wanted.length === 0) return true;
  return segments.some((_, start) =>
    wanted.every((each, i) => {
      const segment = segments[start + i];
      return segment !== undefined && matchesSegment(segment, each);
    }),
  );
}

function matchesSegment(segment: PathSegment, wanted: PathSegment): boolean {
  return (
    (wanted.name === "" || wanted.name === segment.name) &&
    (wanted.id === "" || wanted.id === segment.id) &&
    (wanted.token === "" || wanted.token === segment.token)
  );
}

interface WatcherOptions {
  readonly selector: MonitorScopeSelector;
  readonly sight: (told: Told) => Sight;
  readonly maxPending: number;
}

class Watcher extends Watch<ConnectionEvent> {
  readonly #options: WatcherOptions;
  readonly #forget: () => void;
  #initial: ConnectionEvent | undefined;
  readonly #pending = new Map<string, ConnectionEvent>();
  #waiting: ((event: ConnectionEvent | undefined) => void)[] = [];
  #end: { readonly error: NetloomError | undefined } | undefined;

  constructor(options: WatcherOptions, forget: () => void) {
    super();
    this.#options = options;
    this.#forget = forget;
  }

  begin(all: readonly Told[]): void {
    const connections = all.flatMap((each) => this.#seen(each) ?? []);
    this.#initial = create(ConnectionEventSchema, {
      type: ConnectionEventType.INITIAL_STATE_TRANSFER,
      connections: Object.fromEntries(connections.map((each) => [each.id, each])),
    });
  }

  tell(type: ConnectionEventType, told: Told): void {
    const connection = this.#seen(told);
    if (!connection) return;
    const event = create(ConnectionEventSchema, { type, connections: { [connection.id]: connection } });
    const waiting = this.#waiting.shift();
    if (waiting) return waiting(event);
    // The later of two events gets the later place in the queue.
    this.#pending.delete(connection.id);
    this.#pending.set(connection.id, event);
    const { maxPending } = this.#options;
    if (this.#pending.size > maxPending) {
      this.#finish(
        new NetloomError(
          "RESOURCE_EXHAUSTED",
          `watch connections: ${maxPending} events are waiting for the watcher`,
          {
            hint: "start a new watch, and read the events faster",
          },
        ),
      );
    }
  }

  #seen(told: Told): Connection | undefined {
    const { selector, sight } = this.#options;
    const connection = told.seen(sight(told));
    return connection && matchesSelector(connection, selector) ? connection : undefined;
  }

  take(): Promise<ConnectionEvent | undefined> {
    const event = this.#take();
    if (event) return Promise.resolve(event);
    if (this.#end?.error) return Promise.reject(this.#end.error);
    if (this.#end) return Promise.resolve(undefined);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  close(): void {
    this.#finish(undefined);
  }

  #take(): ConnectionEvent | undefined {
    if (this.#initial) {
      const initial = this.#initial;
      this.#initial = undefined;
      return initial;
    }
    const [first] = this.#pending;
    if (!first) return undefined;
    this.#pending.delete(first[0]);
    return first[1];
  }

  #finish(error: NetloomError | undefined): void {
    if (this.#end) return;
    this.#end = { error };
    this.#initial = undefined;
    this.#pending.clear();
    this.#forget();
    for (const resolve of this.#waiting) resolve(undefined);
    this.#waiting = [];
  }
}
