/** What a client wishes of the MTU, and not what it was given. */
import { isMtu } from "../../mechanisms/parameters.ts";
import { type ConnectionElement, connectionOf, contextOf, ownSegment } from "../connection.ts";

/** Key of a forwarder's metrics: the MTU that was wished for, and the one that was given for it. */
const MTU_GIVEN = "mtu_wished_given";

/**
 * For a forwarder, in front of whatever bounds the MTU. A client of upstream's sends the whole context of its last answer with every
 * request: taken for a wish, its MTU could never grow again.
 *
 * Guarantees
 * - A request with the MTU of the last answer has behind it the wish that this was answered to. That is written into the path, which
 *   a client sends back, too: so it outlives this process.
 */
export function mtuWish(): ConnectionElement {
  return {
    name: "mtu-wish",
    async request(_call, request, next) {
      const connection = connectionOf(request);
      const context = contextOf(connection);
      const [wished, given] = (ownSegment(connection)?.metrics[MTU_GIVEN] ?? "").split(" ").map(Number);
      if (wished !== undefined && isMtu(wished) && given === context.MTU) context.MTU = wished;
      const wish = context.MTU;
      const answer = await next(request);
      const own = ownSegment(answer);
      if (own) own.metrics[MTU_GIVEN] = `${wish} ${contextOf(answer).MTU}`;
      return answer;
    },
  };
}
