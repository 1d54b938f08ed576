/**
 * Translates between the mechanism towards the client and the one towards the endpoint. Upstream: mechanismtranslation
 * and filtermechanisms of sdk/pkg/networkservice/common
 */

import { copyMessage } from "../../api/copy-message.ts";
import { type Mechanism } from "../../api/gen/nsm/connection_pb.js";
import { isLocalUrl } from "../../api/directory.ts";
import { memoryKey } from "../../chain/call.ts";
import { connectionOf, type ConnectionElement } from "../connection.ts";
import { isLocalMechanism } from "../../mechanisms/list.ts";

/** The mechanism towards the client, for the later elements of the chain. */
export const INCOMING = memoryKey<Mechanism>("translate-mechanism: incoming");
const OUTGOING = memoryKey<Mechanism>("translate-mechanism: outgoing");

/**
 * Guarantees
 * - Later elements see no preferences of the caller. They see the mechanism of the next station's last answer, if its
 *   class fits the next station.
 * - The caller sees its own mechanism.
 */
export function translateMechanism(): ConnectionElement {
  return {
    name: "translate-mechanism",
    async request(call, request, next) {
      const connection = connectionOf(request);
      const incoming = connection.mechanism;
      if (incoming) call.memory.set(INCOMING, copyMessage(incoming));
      const before = call.memory.get(OUTGOING);
      const fits = before && isLocalMechanism(before) === isLocalUrl(call.nextUrl ?? "");
      request.mechanismPreferences = [];
      if (fits) connection.mechanism = copyMessage(before);
      else delete connection.mechanism;
      const answer = await next(request);
      if (answer.mechanism) call.memory.set(OUTGOING, copyMessage(answer.mechanism));
      if (incoming) answer.mechanism = incoming;
      else delete answer.mechanism;
      return answer;
    },
    async close(call, connection, next) {
      call.memory.delete(OUTGOING);
      try {
        await next(connection);
      } finally {
        call.memory.delete(INCOMING);
      }
    },
  };
}
