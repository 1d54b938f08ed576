/**
 * The outside of a connection role: limits, the path, `begin`, and the watchers. Everything behind it sees connections
 * under this process's own id. Upstream: updatepath, begin and monitor at the head of chains/endpoint/server.go
 */
import { create } from "@bufbuild/protobuf";
import {
  type Connection,
  type ConnectionEvent,
  type MonitorScopeSelector,
  PathSchema,
  State,
} from "../api/gen/nsm/connection_pb.js";
import type { NetworkServiceRequest } from "../api/gen/nsm/networkservice_pb.js";
import type { Incoming } from "../world/hops.ts";
import { type ConnectionServer } from "../api/hops.ts";
import { principalText, SELF } from "../world/peer.ts";
import { type Admission, Begin, type BeginOptions, type ResourceKind } from "../chain/begin.ts";
import { compose } from "../chain/element.ts";
import type { Identity } from "../identity/identity.ts";
import { mustAllow, question } from "../policy/authorize.ts";
import { NetloomError } from "../errors/errors.ts";
import type { Watch } from "../async/watch.ts";
import type { World } from "../world/world.ts";
import {
  CONNECTION_KIND,
  type ConnectionElement,
  connectionOf,
  type ConnectionStation,
  ipContextOf,
} from "./connection.ts";
import { checkConnection, checkRequest } from "./limits.ts";
import type { MonitorBoard } from "./upkeep/monitor-board.ts";
import { paced } from "./upkeep/paced.ts";
import { enterPath, leavePath } from "./path/update-path.ts";
import { wayHere } from "./path/update-token.ts";

type Asked = Admission<NetworkServiceRequest, Connection>;
type Begun = BeginOptions<NetworkServiceRequest, Connection>;

export interface DoorOptions extends Pick<Begun, "maxWaiting" | "timeoutMs"> {
  readonly world: World;
  /** Authorizes each call before it waits for its turn, and each connection before a monitor shows it. */
  readonly identity: Pick<Identity, "authorize" | "tokenOf">;
  /** Name of the path segment. */
  readonly name: string;
  readonly board: MonitorBoard;
  readonly elements: readonly ConnectionElement[];
  /** Handles requests that no element has answered. Default: answers with the connection of the request. */
  readonly last?: ConnectionStation;
  /** The role begins the path: a client. Default: it has a caller, whose segment is the previous one. */
  readonly isFirst?: boolean;
  readonly kind?: ResourceKind<NetworkServiceRequest, Connection>;
  /** The longest time for a request, whatever its caller allows. Default: 60,000 ms. */
  readonly maxRequestMs?: number;
}

const MAX_REQUEST_MS = 60_000;

/** Answers with the connection of the request: the end of every path. */
const ANSWER: Readonly<ConnectionStation> = {
  request: (_call, request) => Promise.resolve(connectionOf(request)),
  close: () => Promise.resolve(),
};

/**
 * Guarantees
 * - A message that exceeds the limits, has no connection, or has an inconsistent path is INVALID_ARGUMENT, before
 *   anything is stored. So is a caller with this process's own name: the next hop leads back to the caller.
 * - `identity` authorizes each call by the owner of its id and the path up to here, before it waits for anything. Calls
 *   that this process starts itself are not checked.
 * - The answer has the caller's own id and index.
 * - A caller that lost the answer and requests again without the assigned id gets the same connection. It can also
 *   close the connection so. The caller is identified by the peer and by the name and id of its segment.
 * - An established connection is UP.
 * - Behind the door a request has a context and an IP context: upstream's endpoints read both without a check.
 */
export class ConnectionDoor implements ConnectionServer {
  readonly #options: DoorOptions;
  readonly #begin: Begin<NetworkServiceRequest, Connection>;
  /** Own ids by caller; `#callers` has the callers by own id. */
  readonly #ids = new Map<string, string>();
  readonly #callers = new Map<string, string>();
  /** The latest refresh rounds; an older round ends when it sees a newer one. */
  readonly #refreshRounds = { all: 0, some: 0 };

  constructor(options: DoorOptions) {
    const chain = compose(options.elements, options.last ?? ANSWER);
    this.#options = options;
    this.#begin = new Begin(
      options.world,
      options.kind ?? CONNECTION_KIND,
      {
        request: async (call, request) => {
          ipContextOf(connectionOf(request));
          const connection = await chain.request(call, request);
          connection.state = State.UP;
          return connection;
        },
        close: (call, connection) => chain.close(call, connection),
      },
      {
        ...options,
        admit: (asked) => this.#admit(asked),
        onForget: (id) => this.#forget(id),
      },
    );
  }

  established(): Connection[] {
    return this.#begin.established();
  }

  /** The last known reason why an established connection is down; `undefined` if it is not. */
  whyDown(id: string): string | undefined {
    return this.#options.board.whyDown(id);
  }

  async request(caller: Incoming, request: NetworkServiceRequest): Promise<Connection> {
    const connection = connectionOf(request);
    checkRequest(request, connection);
    const callerIndex = this.#enter(
      connection,
      (key) => {
        const id = this.#options.world.keys.uuid();
        this.#ids.set(key, id);
        this.#callers.set(id, key);
        return id;
      },
      caller,
    );
    const { clock } = this.#options.world;
    const deadlineMs = Math.min(
      caller.deadlineMs,
      clock.monotonicMs() + (this.#options.maxRequestMs ?? MAX_REQUEST_MS),
    );
    const answer = await this.#begin.request({ ...caller, deadlineMs }, request);
    leavePath(answer, callerIndex);
    return answer;
  }

  async close(caller: Incoming, connection: Connection): Promise<void> {
    checkConnection(connection);
    this.#enter(connection, () => this.#options.world.keys.uuid(), caller);
    await this.#begin.close(caller, connection);
  }

  drop(id: string): Promise<void> {
    return this.#begin.drop(id);
  }

  /** Runs `task` while no call of the connection with this own id runs. For this process's own tasks. */
  inTurn(id: string, task: () => Promise<void>): Promise<void> {
    return this.#begin.inTurn(id, SELF, task);
  }

  /**
   * Asks the clients of all connections, or of those with these own ids, to refresh, because this role's answers have
   * changed. It asks a few at a time, each after its running calls. A client that does not watch gets the new answer
   * with its next refresh. A new call replaces the rest of an earlier call of the same sort.
   */
  requestRefresh(ids?: readonly string[]): void {
    const { world, board } = this.#options;
    const sort = ids ? "some" : "all";
    const round = ++this.#refreshRounds[sort];
    const goesOn = (): boolean => round === this.#refreshRounds[sort];
    world.scope.spawn("ask for refreshes", (scope) =>
      paced(ids ?? this.#begin.ids(), { clock: world.clock, scope, goesOn }, (id) =>
        world.scope.spawn(`ask for a refresh of ${id}`, () =>
          this.#begin.afterwards(id, () => board.requestRefresh(id)),
        ),
      ),
    );
  }

  /**
   * Opens a stream of events about the connections that the caller may see, without the tokens of connections that are
   * not its own. Throws if it may see no connection.
   */
  monitor({ peer }: Incoming, selector: MonitorScopeSelector): Watch<ConnectionEvent> {
    const { board, identity } = this.#options;
    const ids = selector.pathSegments.map(({ id }) => id);
    const selection = { kind: "connections", services: selector.networkServices, ids } as const;
    mustAllow(identity.authorize, question(peer, "monitor", selection));
    return board.watch(selector, ({ connection: { id, networkService: service }, owner }) => {
      const may = (action: "monitor" | "see-tokens"): boolean =>
        !identity.authorize(question(peer, action, { kind: "connection", id, service, owner }));
      if (!may("monitor")) return "nothing";
      return may("see-tokens") ? "all" : "all but tokens";
    });
  }

  #admit(asked: Asked): void {
    const { identity } = this.#options;
    const connection = asked.verb === "request" ? connectionOf(asked.request) : asked.resource;
    const { id, networkService: service, state } = connection;
    const { verb, owner, caller } = asked;
    // The tokens in the path of a lost connection may have expired.
    const isLost = verb === "close" && state === State.DOWN;
    const way = isLost ? undefined : wayHere(connection, identity.tokenOf(caller.metadata ?? {}));
    mustAllow(
      identity.authorize,
      question(caller.peer, verb, { kind: "connection", id, service, owner }, way),
    );
  }

  #forget(id: string): void {
    const key = this.#callers.get(id);
    this.#callers.delete(id);
    if (key !== undefined && this.#ids.get(key) === id) this.#ids.delete(key);
  }

  #enter(connection: Connection, newId: (key: string) => string, { peer }: Incoming): number {
    const { name, isFirst = false } = this.#options;
    const path = (connection.path ??= create(PathSchema));
    const current = path.pathSegments[path.index];
    if (!isFirst && path.pathSegments.length === 0) {
      throw new NetloomError(
        "INVALID_ARGUMENT",
        `request connection ${connection.id} of ${name}: its path is empty; a client sends its own segment first`,
      );
    }
    if (!isFirst && current?.name === name) {
      throw new NetloomError(
        "INVALID_ARGUMENT",
        `request connection ${connection.id} of ${name}: the caller has the same name: the next hop leads back to ${name}`,
        { topic: "NL-407", hint: "give every manager, forwarder, endpoint and client a name of its own" },
      );
    }
    const key = JSON.stringify([principalText(peer.principal), current?.name, current?.id]);
    return enterPath(connection, name, () => this.#ids.get(key) ?? newId(key));
  }
}
