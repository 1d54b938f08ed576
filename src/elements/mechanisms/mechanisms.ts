/**
 * Selects one of the mechanisms that the caller offers. Upstream: sdk/pkg/networkservice/common/mechanisms/server.go
 */

import { copyMessage } from "../../api/copy-message.ts";
import { type Connection, type Mechanism } from "../../api/gen/nsm/connection_pb.js";
import type { Call } from "../../chain/call.ts";
import { NetloomError } from "../../errors/errors.ts";
import { reason } from "../../errors/reasons.ts";
import { connectionOf, type ConnectionElement } from "../connection.ts";

/** The server's side of one mechanism. */
export interface ServerMechanism {
  readonly type: string;
  /** Completes the parameters; called at every refresh. INVALID_ARGUMENT if they cannot work; then nothing is held. */
  request(call: Call, connection: Connection, mechanism: Mechanism): void | Promise<void>;
  /** Called after a success of the rest of the chain. May add to the context, according to the mechanism. */
  answered?(call: Call, connection: Connection): void;
  /** Called after a failure of the rest of the chain. Returns the error for the caller. */
  failed?(call: Call, error: NetloomError): NetloomError;
  /** Releases what it holds, if anything: at every close, and when the connection has a mechanism of another type. */
  close?(call: Call, connection: Connection): void;
}

/**
 * Guarantees
 * - A connection that has a mechanism keeps it, or is refused if the mechanism is not supported.
 * - Otherwise the first preference that works and has a supported type is taken; after INVALID_ARGUMENT the next one is
 *   tried. If none works, the caller gets the error of the first.
 */
export function mechanisms(supported: readonly ServerMechanism[]): ConnectionElement {
  const byType = new Map(supported.map((each) => [each.type, each]));
  return {
    name: "mechanisms",
    async request(call, request, next) {
      const connection = connectionOf(request);
      const { server, mechanism } = await choose(call, byType, connection, request.mechanismPreferences);
      connection.mechanism = mechanism;
      try {
        const answer = await next(request);
        server.answered?.(call, answer);
        // The connection may have had another mechanism before.
        for (const each of supported) if (each !== server) each.close?.(call, answer);
        return answer;
      } catch (error) {
        throw error instanceof NetloomError ? (server.failed?.(call, error) ?? error) : error;
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

interface Chosen {
  readonly server: ServerMechanism;
  readonly mechanism: Mechanism;
}

async function choose(
  call: Call,
  supported: ReadonlyMap<string, ServerMechanism>,
  connection: Connection,
  preferences: readonly Mechanism[],
): Promise<Chosen> {
  const { id, mechanism: own } = connection;
  const hasOwn = own !== undefined && own.type !== "";
  let first: NetloomError | undefined;
  for (const each of hasOwn ? [own] : preferences) {
    const server = supported.get(each.type);
    if (!server) continue;
    const mechanism = copyMessage(each);
    try {
      await server.request(call, connection, mechanism);
      return { server, mechanism };
    } catch (error) {
      if (!(error instanceof NetloomError) || error.code !== "INVALID_ARGUMENT") throw error;
      first ??= error;
    }
  }
  if (first) throw first;
  const names = [...supported.keys()].join(", ") || "none";
  const offered = preferences.map(({ type }) => type).join(", ") || "none";
  const why = hasOwn
    ? `unsupported mechanism ${own.type}`
    : `cannot support any of the requested mechanism: ${offered}`;
  throw new NetloomError("INVALID_ARGUMENT", `request connection ${id}: ${why}; supported: ${names}`, {
    topic: "NL-403",
    reason: reason("MECHANISM_UNSUPPORTED", {
      offered: hasOwn ? own.type : preferences.map(({ type }) => type).join(","),
      supported: [...supported.keys()].join(","),
    }),
  });
}
