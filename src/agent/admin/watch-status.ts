/** The status of a host as a stream: now, and after every change, but not faster than the caller reads. */
import type { HostStatus } from "../../api/gen/netloom/admin/v1/admin_pb.js";
import { Signal } from "../../async/signal.ts";
import { NetloomError } from "../../errors/errors.ts";
import { type Watch, watchOf } from "../../async/watch.ts";
import type { Scope } from "../../async/scope.ts";
import type { AdminParts } from "./admin-parts.ts";
import { hostStatus } from "./status.ts";

const MIN_INTERVAL_MS = 200;

/** Polling intervals. No event reports changes of counters and of the registry's size. */
const COUNTERS_MS = 1_000;
const REGISTRY_MS = 5_000;

/** Streams the status. Each is made when the caller reads it, so a slow caller gets the newest. `scope` belongs to the caller. */
export function watchStatus(
  parts: AdminParts,
  scope: Scope,
  options: { readonly minIntervalMs: number; readonly counters: boolean },
): Watch<HostStatus> {
  const { world, attachments } = parts;
  const signal = new Signal();
  const forget = attachments.onChange(() => signal.ring());
  const life = scope.child("watch status");
  let isFirst = true;
  return watchOf({
    take: async () => {
      try {
        if (!isFirst) {
          await world.clock.sleep(options.minIntervalMs || MIN_INTERVAL_MS, life);
          await signal.wait(world.clock, life, options.counters ? COUNTERS_MS : REGISTRY_MS);
        }
        isFirst = false;
        return life.ended ? undefined : await hostStatus(parts, options.counters);
      } catch (error) {
        if (error instanceof NetloomError && life.ended) return undefined;
        throw error;
      }
    },
    close: () => {
      forget();
      if (!scope.ended && !life.ended) scope.spawn("end a watch", () => life.end());
    },
  });
}
