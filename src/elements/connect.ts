/** Hands a connection to the next station. Upstream: sdk/pkg/networkservice/common/connect */

import { copyMessage } from "../api/copy-message.ts";
import { State, type Connection } from "../api/gen/nsm/connection_pb.js";
import type { NetworkServiceRequest } from "../api/gen/nsm/networkservice_pb.js";
import type { ConnectionHop } from "../api/hops.ts";
import { memoryKey, type Call } from "../chain/call.ts";
import { NetloomError } from "../errors/errors.ts";
import { connectionOf, type ConnectionStation } from "./connection.ts";
import { connectionProblems } from "./limits.ts";

/** Time limit of a clean-up close, whose result nobody uses. */
const CLEAN_UP_MS = 2_000;

interface Connected {
  readonly hop: ConnectionHop;
  /** Its last answer. */
  readonly connection: Connection;
}

const CONNECTED = memoryKey<Connected>("connect: connected");

/**
 * The last station of a role that is not the end of the path.
 *
 * Guarantees
 * - A next station that answered, or may have acted before its answer was lost, gets exactly one close: when the
 *   connection closes, when it moves to another station, or after a request whose outcome is unknown.
 * - The close carries the station's own last answer, with state DOWN if the connection was lost.
 * - An answer that is for another connection, changes the path up to here, or exceeds the limits is INTERNAL.
 */
export function connect(hopOf: (call: Call) => ConnectionHop): ConnectionStation {
  return {
    async request(call, request) {
      const hop = hopOf(call);
      const before = call.memory.get(CONNECTED);
      if (before && before.hop !== hop) {
        call.memory.delete(CONNECTED);
        await cleanUp(call, before);
      }
      const sent = connectionOf(request);
      try {
        const answer = await hop.request(call, request);
        checkAnswer(sent, answer);
        call.memory.set(CONNECTED, { hop, connection: copyMessage(answer) });
        return answer;
      } catch (error) {
        if (before?.hop !== hop && isOutcomeUnknown(error)) await cleanUp(call, { hop, connection: sent });
        throw error;
      }
    },
    async close(call, connection) {
      const connected = call.memory.delete(CONNECTED);
      if (!connected) return;
      const closed = copyMessage(connected.connection);
      // The tokens of the path up to this station come from this close.
      const own = closed.path?.index ?? 0;
      const fresh = connection.path?.pathSegments.slice(0, own + 1) ?? [];
      closed.path?.pathSegments.splice(0, fresh.length, ...fresh);
      if (call.reason === "lost") closed.state = State.DOWN;
      await connected.hop.close(call, closed);
    },
  };
}

async function cleanUp(call: Call, { hop, connection }: Connected): Promise<void> {
  const { clock, scope } = call.world;
  if (scope.ended) return;
  const own = scope.child(`clean up connection ${connection.id}`, { timeoutMs: CLEAN_UP_MS });
  try {
    const deadlineMs = clock.monotonicMs() + CLEAN_UP_MS;
    await hop.close({ ...call, scope: own, deadlineMs }, connection);
  } catch (error) {
    // The station is unreachable or does not know the connection. If it has the connection, its time-out closes the
    // connection.
    if (!(error instanceof NetloomError)) throw error;
    call.log.debug("a clean-up close has failed; the connection expires at the next station", {
      error: error.message,
    });
  } finally {
    await own.end();
  }
}

function isOutcomeUnknown(error: unknown): boolean {
  return (
    error instanceof NetloomError &&
    ["DEADLINE_EXCEEDED", "CANCELLED", "UNAVAILABLE", "INTERNAL"].includes(error.code)
  );
}

function checkAnswer(sent: NonNullable<NetworkServiceRequest["connection"]>, answer: Connection): void {
  const problem = answerProblem(sent, answer);
  if (problem) {
    throw new NetloomError(
      "INTERNAL",
      `request connection ${sent.id}: the next station's answer is wrong: ${problem}`,
      { topic: "NL-406" },
    );
  }
}

function answerProblem(sent: Connection, answer: Connection): string | undefined {
  const limits = connectionProblems(answer);
  if (limits.length > 0) return limits[0];
  if (answer.id !== sent.id) return `it is for connection ${answer.id}`;
  const index = sent.path?.index ?? 0;
  if (!answer.path) return "it has no path";
  if (answer.path.index !== index) return `its path has the index ${answer.path.index} instead of ${index}`;
  const changed = sent.path?.pathSegments.slice(0, index + 1).findIndex(({ name, id }, i) => {
    const other = answer.path?.pathSegments[i];
    return other?.name !== name || other.id !== id;
  });
  return changed === undefined || changed < 0 ? undefined : `it has changed segment ${changed} of the path`;
}
