/** Drops the mechanisms that a caller may not use. */
import type { Mechanism } from "../../api/gen/nsm/connection_pb.js";
import { type Authorize, mustAllow, question, type Question } from "../../policy/authorize.ts";
import type { Call } from "../../chain/call.ts";
import { connectionOf, type ConnectionElement } from "../connection.ts";
import { isLocalMechanism } from "../../mechanisms/list.ts";

/**
 * For a role with callers on other hosts.
 *
 * Guarantees
 * - Preferences that `authorize` refuses are dropped; a connection whose mechanism it refuses is refused.
 * - A mechanism is for this host only if its class is LOCAL. If it has no class, its type decides.
 */
export function localMechanisms(authorize: Authorize): ConnectionElement {
  return {
    name: "local-mechanisms",
    async request(call, request, next) {
      const { id, mechanism } = connectionOf(request);
      if (mechanism) mustAllow(authorize, asked(call, id, mechanism));
      request.mechanismPreferences = request.mechanismPreferences.filter(
        (each) => authorize(asked(call, id, each)) === undefined,
      );
      return await next(request);
    },
  };
}

function asked({ peer }: Call, id: string, mechanism: Mechanism): Question {
  const { type } = mechanism;
  return question(peer, "request", { kind: "mechanism", id, type, isForHost: isLocalMechanism(mechanism) });
}
