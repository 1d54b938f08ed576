/** Tells the MTU that a client wishes for from the one that it was given. */
import { isMtu } from "../../mechanisms/parameters.ts";
import { type ConnectionElement, connectionOf, contextOf, ownSegment } from "../connection.ts";

/** Key of a forwarder's metrics: the wished MTU, and the one that was given for it. */
const MTU_GIVEN = "mtu_wished_given";

/**
 * For a forwarder, before any element that limits the MTU. An upstream client sends the whole context of its last
 * answer with every request: if that MTU were taken for a wish, it could never grow again.
 *
 * Guarantees
 * - In a request with the MTU of the last answer, this element restores the wish behind that answer. The wish is stored
 *   in the path, which a client sends back, so it survives a restart of this process.
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
