/** Closes connections that their client no longer refreshes. Upstream: sdk/pkg/networkservice/common/timeout/server.go */
import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { Alarm } from "../../async/alarm.ts";
import { alarmOf, memoryKey } from "../../chain/call.ts";
import { NetloomError } from "../../errors/errors.ts";
import { previousSegment, type ConnectionElement } from "../connection.ts";

const ALARM = memoryKey<Alarm>("timeout: alarm");
/** Time of `Clock.monotonicMs`. */
const DUE = memoryKey<number>("timeout: due");

/** A sleep may end this much too early. */
const ROUNDING_MS = 1;

/**
 * Guarantees
 * - A connection is closed when the token of its caller's segment expires, less the time of a request: a working client
 *   has refreshed it before. The delay is measured on the monotonic clock, so a jump of the wall clock after the
 *   request changes nothing.
 * - Such a close has the reason `lost` (`call.reason`).
 * - A refresh before that time prevents the close.
 * - A caller whose segment has no expiry is FAILED_PRECONDITION.
 */
export function timeout(): ConnectionElement {
  return {
    name: "timeout",
    async request(call, request, next) {
      const { clock } = call.world;
      const startMs = clock.monotonicMs();
      const requestMs = Math.max(0, call.deadlineMs - startMs);
      const expires = request.connection && previousSegment(request.connection)?.expires;
      if (!expires) {
        throw new NetloomError(
          "FAILED_PRECONDITION",
          `request connection ${request.connection?.id}: expiration for the previous path segment cannot be nil`,
          { hint: "the caller has to send a token, or the time at which its segment expires" },
        );
      }
      const leftMs = timestampMs(expires) - clock.wallMs();
      const connection = await next(request);
      // If the lifetime is shorter than the time of a request, nothing is subtracted.
      const delayMs = leftMs > requestMs ? leftMs - requestMs : leftMs;
      call.memory.set(DUE, startMs + delayMs);
      const alarm = call.memory.get(ALARM) ?? alarmOf(call);
      call.memory.set(ALARM, alarm);
      alarm.set(`time-out of connection ${connection.id}`, startMs + delayMs - clock.monotonicMs(), () =>
        call.trigger.close({
          reason: "lost",
          isDue: () => (call.memory.get(DUE) ?? Infinity) <= clock.monotonicMs() + ROUNDING_MS,
        }),
      );
      return connection;
    },
    async close(call, connection, next) {
      call.memory.delete(ALARM)?.stop();
      call.memory.delete(DUE);
      await next(connection);
    },
  };
}
