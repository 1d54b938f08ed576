/** Repeats the request before a token on the path expires. Upstream: sdk/pkg/networkservice/common/refresh/client.go */
import { backoffMs } from "../../async/backoff.ts";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { Connection } from "../../api/gen/nsm/connection_pb.js";
import type { Alarm } from "../../async/alarm.ts";
import { alarmOf, memoryKey, type Call } from "../../chain/call.ts";
import { NetloomError } from "../../errors/errors.ts";
import type { Random } from "../../world/world.ts";
import type { ConnectionElement } from "../connection.ts";

const SOONEST_MS = 200;

interface Refreshing {
  readonly name: string;
  readonly alarm: Alarm;
  /** Number of the last success. */
  count: number;
}

const REFRESHING = memoryKey<Refreshing>("refresh");

/**
 * Guarantees
 * - After every success the next request is due after 20 to 40 % of the shortest remaining lifetime on the path (1/3 if
 *   the path has one segment), up to a tenth earlier, so that many connections do not refresh at once. A segment that
 *   had expired on arrival is ignored: the clock of its host is wrong. The minimum is 0.2 s.
 * - A failed refresh is tried again after 0.2 s, then twice as long each time, up to 10 s.
 */
export class Refresher {
  element(): ConnectionElement {
    return {
      name: "refresh",
      request: async (call, request, next) => {
        const connection = await next(request);
        const { clock, random, retries } = call.world;
        const name = `refresh connection ${connection.id}`;
        const refreshing = call.memory.get(REFRESHING) ?? { name, alarm: alarmOf(call), count: 0 };
        call.memory.set(REFRESHING, refreshing);
        refreshing.count++;
        retries.over(name);
        const delayMs = refreshDelayMs(connection, clock.wallMs());
        if (delayMs === undefined) return connection;
        const dueMs = jittered(random, name, refreshing.count * 64, delayMs);
        refreshing.alarm.set(name, dueMs, () => attempt(call, 1));
        return connection;
      },
      close: async (call, connection, next) => {
        const refreshing = call.memory.delete(REFRESHING);
        refreshing?.alarm.stop();
        if (refreshing) call.world.retries.over(refreshing.name);
        await next(connection);
      },
    };
  }

  /** Requests again after the running calls, because their answers may be out of date. */
  refresh(call: Call): void {
    const { scope } = call.world;
    if (!scope.ended) scope.spawn("refresh as asked for", () => attempt(call, 1));
  }
}

async function attempt(call: Call, n: number): Promise<void> {
  try {
    await call.trigger.request({ why: "refresh" });
  } catch (error) {
    if (!(error instanceof NetloomError)) throw error;
    const refreshing = call.memory.get(REFRESHING);
    if (!refreshing) return;
    const { name, alarm, count } = refreshing;
    call.world.retries.failed(name, error);
    const fraction = call.world.random.fraction(name, count * 64 + n);
    alarm.set(name, backoffMs(n, fraction), () => attempt(call, n + 1));
  }
}

/** `undefined` if no segment of the path expires. */
export function refreshDelayMs({ path }: Connection, nowMs: number): number | undefined {
  const segments = path?.pathSegments ?? [];
  const all = segments.flatMap(({ expires }) => (expires ? [timestampMs(expires) - nowMs] : []));
  if (!path || all.length === 0) return undefined;
  const left = all.filter((leftMs) => leftMs > 0);
  const scale = segments.length > 1 ? 0.2 + (0.2 * path.index) / segments.length : 1 / 3;
  return left.length === 0 ? SOONEST_MS : Math.max(SOONEST_MS, Math.min(...left) * scale);
}

/** 90 to 100 % of `delayMs`. */
function jittered(random: Random, purpose: string, n: number, delayMs: number): number {
  return delayMs * (0.9 + 0.1 * random.fraction(purpose, n));
}
