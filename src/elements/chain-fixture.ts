/** One element, or a few, behind a role's door, with a caller in front and a stub at the end. */
import { copyMessage } from "../api/copy-message.ts";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { ConnectionSchema, PathSchema, type Connection } from "../api/gen/nsm/connection_pb.js";
import { NetworkServiceRequestSchema, type NetworkServiceRequest } from "../api/gen/nsm/networkservice_pb.js";
import type { Caller } from "../api/hops.ts";
import type { Call } from "../chain/call.ts";
import { labIdentity } from "../identity/lab-identity.ts";
import type { HostWorld, World } from "../world/world.ts";
import { connectionOf, type ConnectionElement } from "./connection.ts";
import { ConnectionDoor, type DoorOptions } from "./door.ts";
import { MonitorBoard } from "./monitor-board.ts";
import { peerNamed } from "../world/peer-fixture.ts";

export class Chain {
  readonly world: World;
  readonly door: ConnectionDoor;
  readonly board = new MonitorBoard();
  /** What has come to the end of the chain. */
  readonly requests: NetworkServiceRequest[] = [];
  readonly closes: Connection[] = [];
  readonly calls: Call[] = [];
  /** What the end does to a request: changes it, or throws. */
  answer: (connection: Connection, call: Call) => Promise<void> | void = () => undefined;

  constructor(world: HostWorld, elements: readonly ConnectionElement[], options: Partial<DoorOptions> = {}) {
    this.world = world;
    this.door = new ConnectionDoor({
      world,
      name: "own",
      identity: labIdentity(world),
      board: this.board,
      elements,
      last: {
        request: async (call, request) => {
          this.requests.push(copyMessage(request));
          this.calls.push(call);
          const connection = connectionOf(request);
          await this.answer(connection, call);
          return connection;
        },
        close: async (call, connection) => {
          this.calls.push(call);
          this.closes.push(connection);
        },
      },
      ...options,
    });
  }

  caller(options: Partial<Caller> & { readonly timeoutMs?: number } = {}): Caller {
    const { clock, scope } = this.world;
    return {
      scope,
      deadlineMs: clock.monotonicMs() + (options.timeoutMs ?? 15_000),
      peer: peerNamed("unix:1000"),
      ...options,
    };
  }

  /** A request with a caller's segment `client c1`, unless the connection says otherwise. */
  request(
    connection: Partial<Connection> = {},
    options: {
      readonly caller?: Caller;
      readonly preferences?: MessageInitShape<typeof NetworkServiceRequestSchema>["mechanismPreferences"];
    } = {},
  ): Promise<Connection> {
    const id = connection.id ?? "c1";
    const path = create(PathSchema, { pathSegments: [{ name: "client", id }] });
    const request = create(NetworkServiceRequestSchema, {
      ...(options.preferences && { mechanismPreferences: options.preferences }),
    });
    request.connection = copyMessage(
      Object.assign(create(ConnectionSchema, { id, networkService: "shop", path }), connection),
    );
    return this.door.request(options.caller ?? this.caller(), request);
  }

  close(connection: Connection, caller: Caller = this.caller()): Promise<void> {
    return this.door.close(caller, copyMessage(connection));
  }
}

/** An element that sets `nextUrl`, as discovery does. */
export function towards(url: string): ConnectionElement {
  return {
    name: "towards",
    request: (call, request, next) => next(request, { ...call, nextUrl: url }),
  };
}
