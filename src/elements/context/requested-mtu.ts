/** Distinguishes the MTU that a client requests from the MTU of its last answer. */
import { isMtu } from "../../mechanisms/parameters.ts";
import { type ConnectionElement, connectionOf, contextOf, ownSegment } from "../connection.ts";

/** Key of a forwarder's metrics: the requested MTU, and the MTU of the answer. */
const MTU_GIVEN = "mtu_wished_given";

/**
 * For a forwarder, before any element that limits the MTU. An upstream client sends the whole context of its last
 * answer with every request: if that MTU counted as requested, it could never grow again.
 *
 * Guarantees
 * - In a request with the MTU of the last answer, this element restores the MTU that was requested before that answer. It is
 *   stored in the path, which a client sends back, so it survives a restart of this process.
 */
export function requestedMtu(): ConnectionElement {
  return {
    name: "requested-mtu",
    async request(_call, request, next) {
      const connection = connectionOf(request);
      const context = contextOf(connection);
      const [before, given] = (ownSegment(connection)?.metrics[MTU_GIVEN] ?? "").split(" ").map(Number);
      if (before !== undefined && isMtu(before) && given === context.MTU) context.MTU = before;
      const requested = context.MTU;
      const answer = await next(request);
      const own = ownSegment(answer);
      if (own) own.metrics[MTU_GIVEN] = `${requested} ${contextOf(answer).MTU}`;
      return answer;
    },
  };
}
