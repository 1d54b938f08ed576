/** Watches a connection at the next hop. Upstream: common/monitor/client.go and common/heal/eventloop.go */
import { memoryKey, type Call } from "../../chain/call.ts";
import type { ConnectionHop } from "../../api/hops.ts";
import type { ConnectionElement } from "../connection.ts";
import type { Following, NextHopMonitor, Notice } from "../upkeep/next-hop-monitor.ts";

interface Followed {
  readonly hop: ConnectionHop;
  readonly following: Following;
}

const FOLLOWED = memoryKey<Followed>("follow-next: followed");

/**
 * Guarantees
 * - `onNotice` gets the notices of the next hop between a successful request and the close. It gets no notice that is
 *   caused by this role's own close or by a running request.
 * - After a stream breaks, the next successful request opens it again.
 */
export function followNext(options: {
  readonly monitor: NextHopMonitor;
  readonly hopOf: (call: Call) => ConnectionHop;
  readonly onNotice: (call: Call, id: string, notice: Notice) => void;
}): ConnectionElement {
  const { monitor, hopOf, onNotice } = options;
  return {
    name: "follow-next",
    async request(call, request, next) {
      const id = request.connection?.id ?? "";
      const hop = hopOf(call);
      const before = call.memory.get(FOLLOWED);
      const isSame = before !== undefined && before.hop === hop && !before.following.isOver;
      const followed = isSame ? before : { hop, following: monitor.follow(hop, id) };
      try {
        const connection = await next(request);
        if (!isSame) {
          before?.following.stop();
          // The stream may have failed because the next hop could not be watched before the request. Now it can be
          // watched.
          const heard = followed.following.wasDeaf ? { hop, following: monitor.follow(hop, id) } : followed;
          call.memory.set(FOLLOWED, heard);
          heard.following.start((notice) => onNotice(call, id, notice));
        }
        return connection;
      } catch (error) {
        if (!isSame) followed.following.stop();
        throw error;
      }
    },
    async close(call, connection, next) {
      call.memory.delete(FOLLOWED)?.following.stop();
      await next(connection);
    },
  };
}
