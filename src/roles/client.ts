/** Upstream: sdk/pkg/networkservice/chains/client/client.go, cmd-nsc */
import { copyMessage } from "../api/copy-message.ts";
import type { ConnectionHop } from "../api/hops.ts";
import type { Connection } from "../api/gen/nsm/connection_pb.js";
import { memoryKey } from "../chain/call.ts";
import { clientInfo } from "../elements/context/client-info.ts";
import { CLIENT_KIND } from "../elements/context/client-kind.ts";
import { connect } from "../elements/connect.ts";
import type { ConnectionElement } from "../elements/connection.ts";
import { ConnectionDoor } from "../elements/door.ts";
import { followNext } from "../elements/discovery/follow-next.ts";
import { Healer } from "../elements/upkeep/heal.ts";
import { MonitorBoard } from "../elements/upkeep/monitor-board.ts";
import { monitor } from "../elements/upkeep/monitor.ts";
import { NextHopMonitor } from "../elements/upkeep/next-hop-monitor.ts";
import { sayWorkload } from "../elements/path/path-hosts.ts";
import { Refresher } from "../elements/upkeep/refresh.ts";
import { updateOwnToken } from "../elements/path/update-token.ts";
import { type NetloomError, operatingError } from "../errors/errors.ts";
import type { ConnectionRole, RoleOptions } from "./role.ts";

/** A state change of one of this client's connections. */
export interface ClientNews {
  /** Id of path segment 0. */
  readonly id: string;
  readonly state: "up" | "healing" | "closed";
  /** The reason for healing: the last notice or refusal. */
  readonly reason?: string;
  /** The last refusal, if it is the reason. */
  readonly error?: NetloomError;
  /** The last answer. */
  readonly connection: Connection;
}

export interface ClientOptions extends RoleOptions {
  /** The manager. */
  readonly next: ConnectionHop;
  /** Labels added to every request that lacks them. `nodeName`, `podName`, `clusterName` upstream. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Returns whether packets pass the wire. If absent, the client requests another endpoint after every loss. */
  readonly isAlive?: (connection: Connection) => Promise<boolean>;
  readonly onNews?: (news: ClientNews) => void;
  /** The workload for which the client requests wires, by its name on the host. */
  readonly workload?: string;
}

/**
 * Requests connections for workloads, refreshes and heals them. `request` with a known id refreshes. A first request
 * that fails is not repeated. Established connections heal until they are closed.
 */
export function client(options: ClientOptions): ConnectionRole {
  const { world, name, identity, next, onNews = () => undefined } = options;
  const board = new MonitorBoard();
  const healer = new Healer({
    isAlive: options.isAlive,
    onHealing: (connection, reason) => {
      board.down(connection.id, reason);
      onNews({ id: connection.id, state: "healing", reason, connection });
    },
  });
  const refresher = new Refresher();
  return new ConnectionDoor({
    world,
    name,
    identity,
    board,
    isFirst: true,
    kind: CLIENT_KIND,
    elements: [
      tell(onNews),
      monitor(board),
      updateOwnToken(identity),
      ...(options.workload === undefined ? [] : [sayWorkload(options.workload)]),
      refresher.element(),
      healer.element(),
      clientInfo(options.labels ?? {}),
      followNext({
        monitor: new NextHopMonitor(world.scope, name),
        hopOf: () => next,
        onNotice: (call, _id, notice) =>
          notice.type === "refresh" ? refresher.refresh(call) : healer.onLoss(call, notice),
      }),
    ],
    last: connect(() => next),
  });
}

const LAST = memoryKey<Connection>("tell: the last answer");

/** Reports the state of each connection. An established connection whose refresh fails counts as healing. */
function tell(onNews: (news: ClientNews) => void): ConnectionElement {
  return {
    name: "tell",
    async request(call, request, next) {
      const last = call.memory.get(LAST);
      try {
        const connection = await next(request);
        call.memory.set(LAST, copyMessage(connection));
        onNews({ id: connection.id, state: "up", connection });
        return connection;
      } catch (thrown) {
        if (last) {
          const error = operatingError(`request connection ${last.id} again`, thrown);
          onNews({ id: last.id, state: "healing", reason: error.message, error, connection: last });
        }
        throw thrown;
      }
    },
    async close(call, connection, next) {
      try {
        await next(connection);
      } finally {
        // The close within a reselect has no reason.
        if (call.reason) onNews({ id: connection.id, state: "closed", connection });
      }
    },
  };
}
