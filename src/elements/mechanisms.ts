/** Which of the mechanisms that the caller offers is taken. Upstream: sdk/pkg/networkservice/common/mechanisms/server.go */

import { copyMessage } from "../api/copy-message.ts";
import { type Connection, type Mechanism } from "../api/gen/nsm/connection_pb.js";
import type { Call } from "../chain/call.ts";
import { NetloomError } from "../errors/errors.ts";
import { connectionOf, type ConnectionElement } from "./connection.ts";

/** The server's side of one mechanism. */
export interface ServerMechanism {
  /** `KERNEL`, `VXLAN`. */
  readonly type: string;
  /** Completes the parameters; `request` is called at every refresh. INVALID_ARGUMENT for what cannot be. */
  request(call: Call, connection: Connection, mechanism: Mechanism): void;
  /** The rest of the chain has worked: the context may say what follows from the mechanism. */
  answered?(call: Call, connection: Connection): void;
  /** The rest of the chain has failed. Returns the error for the caller. */
  failed?(call: Call, error: NetloomError): NetloomError;
  /** Called at every close, whichever mechanism was taken. */
  close?(call: Call, connection: Connection): void;
}

/**
 * Guarantees
 * - A connection that has a mechanism keeps it, or is refused if it is not supported.
 * - Otherwise the first preference of a supported type is taken.
 */
export function mechanisms(supported: readonly ServerMechanism[]): ConnectionElement {
  const byType = new Map(supported.map((each) => [each.type, each]));
  return {
    name: "mechanisms",
    async request(call, request, next) {
      const connection = connectionOf(request);
      const mechanism = choose(byType, connection, request.mechanismPreferences);
      const server = byType.get(mechanism.type);
      server?.request(call, connection, mechanism);
      connection.mechanism = mechanism;
      try {
        const answer = await next(request);
        server?.answered?.(call, answer);
        return answer;
      } catch (error) {
        throw error instanceof NetloomError ? (server?.failed?.(call, error) ?? error) : error;
      }
    },
    async close(call, connection, next) {
      try {
        await next(connection);
      } finally {
        for (const each of supported) each.close?.(call, connection);
      }
    },
  };
}

function choose(
  supported: ReadonlyMap<string, ServerMechanism>,
  { id, mechanism }: Connection,
  preferences: readonly Mechanism[],
): Mechanism {
  const names = [...supported.keys()].join(", ") || "none";
  if (mechanism && mechanism.type !== "") {
    if (supported.has(mechanism.type)) return copyMessage(mechanism);
    throw new NetloomError(
      "INVALID_ARGUMENT",
      `request connection ${id}: unsupported mechanism ${mechanism.type}; supported: ${names}`,
      { topic: "NL-403" },
    );
  }
  const taken = preferences.find(({ type }) => supported.has(type));
  if (taken) return copyMessage(taken);
  const offered = preferences.map(({ type }) => type).join(", ") || "none";
  throw new NetloomError(
    "INVALID_ARGUMENT",
    `request connection ${id}: cannot support any of the requested mechanism: ${offered}; supported: ${names}`,
    { topic: "NL-403" },
  );
}
