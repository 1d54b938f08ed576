/** Asks again before a token on the path expires. Upstream: sdk/pkg/networkservice/common/refresh/client.go */
import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { Connection } from "../api/gen/nsm/connection_pb.js";
import { Alarm } from "../chain/alarm.ts";
import { memoryKey } from "../chain/call.ts";
import type { Random } from "../world/world.ts";
import type { ConnectionElement } from "./connection.ts";

const ALARM = memoryKey<Alarm>("refresh: alarm");
const COUNT = memoryKey<number>("refresh: count");
const RETRY_MS = 200;
const MAX_RETRY_MS = 10_000;

/**
 * Guarantees
 * - After every success the next request is set for 20 to 40 % of the shortest remaining lifetime on the path (1/3 if
 *   the path has one segment), up to a tenth earlier, so that many connections do not ask at once. A segment that was
 *   over before it came says nothing but that the clock of its host is wrong; and 0.2 s is the least.
 * - A refresh that fails is tried again after 0.2 s, then twice as long each time, up to 10 s.
 */
export function refresh(): ConnectionElement {
  return {
    name: "refresh",
    async request(call, request, next) {
      const connection = await next(request);
      const { clock, random, scope } = call.world;
      const count = (call.memory.get(COUNT) ?? 0) + 1;
      call.memory.set(COUNT, count);
      const delayMs = refreshDelayMs(connection, clock.wallMs());
      if (delayMs === undefined) return connection;
      const alarm = call.memory.get(ALARM) ?? new Alarm(scope, clock);
      call.memory.set(ALARM, alarm);
      const name = `refresh of connection ${connection.id}`;
      const again = async (attempt: number): Promise<void> => {
        try {
          await call.trigger.request();
        } catch (error) {
          if (call.memory.get(ALARM) === alarm && call.memory.get(COUNT) === count) {
            const backoffMs = jittered(random, name, count * 64 + attempt, retryMs(attempt));
            alarm.set(name, backoffMs, () => again(attempt + 1));
          }
          throw error;
        }
      };
      alarm.set(name, jittered(random, name, count * 64, delayMs), () => again(1));
      return connection;
    },
    async close(call, connection, next) {
      call.memory.delete(ALARM)?.stop();
      await next(connection);
    },
  };
}

/** `undefined` if nothing on the path expires. */
export function refreshDelayMs({ path }: Connection, nowMs: number): number | undefined {
  const segments = path?.pathSegments ?? [];
  const all = segments.flatMap(({ expires }) => (expires ? [timestampMs(expires) - nowMs] : []));
  if (!path || all.length === 0) return undefined;
  const left = all.filter((leftMs) => leftMs > 0);
  const scale = segments.length > 1 ? 0.2 + (0.2 * path.index) / segments.length : 1 / 3;
  return left.length === 0 ? RETRY_MS : Math.max(RETRY_MS, Math.min(...left) * scale);
}

function retryMs(attempt: number): number {
  return Math.min(MAX_RETRY_MS, RETRY_MS * 2 ** Math.min(attempt - 1, 16));
}

/** 90 to 100 % of `delayMs`. */
function jittered(random: Random, purpose: string, n: number, delayMs: number): number {
  return delayMs * (0.9 + 0.1 * random.fraction(purpose, n));
}
