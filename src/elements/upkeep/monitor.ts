/** Publishes the events of connections to watchers. Upstream: sdk/pkg/networkservice/common/monitor/server.go */
import { memoryKey } from "../../chain/call.ts";
import { NetloomError } from "../../errors/errors.ts";
import type { ConnectionElement } from "../connection.ts";
import { State } from "../../api/gen/nsm/connection_pb.js";
import type { MonitorBoard } from "./monitor-board.ts";

const TOLD = memoryKey<boolean>("monitor: told");

/**
 * Guarantees
 * - UPDATE after every successful request, UPDATE with state DOWN after a failed refresh, DELETE after a close.
 * - A failed first request causes no event.
 */
export function monitor(board: MonitorBoard): ConnectionElement {
  return {
    name: "monitor",
    async request(call, request, next) {
      const id = request.connection?.id ?? "";
      try {
        const connection = await next(request);
        connection.state = State.UP;
        board.update(connection, call.peer.principal);
        call.memory.set(TOLD, true);
        return connection;
      } catch (error) {
        if (error instanceof NetloomError && call.memory.get(TOLD)) board.down(id, error.message);
        throw error;
      }
    },
    async close(call, connection, next) {
      try {
        await next(connection);
      } finally {
        call.memory.delete(TOLD);
        board.delete(connection.id);
      }
    },
  };
}
