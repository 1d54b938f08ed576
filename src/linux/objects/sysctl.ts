import type { Sysctl } from "../../kernel/kernel.ts";
import type { BatchTools, LinuxObjectKind } from "../object-kind.ts";
import type { Job } from "../batch/refuse.ts";

export const sysctl: LinuxObjectKind<Sysctl> = {
  add: write,
  change: write,
  // The value before the setting is unknown, and the settings of a device go with it.
  remove() {},
  observe: () => [],
  explain: ({ errno }) =>
    errno === "EROFS"
      ? {
          reason: "/proc/sys is read-only on this host",
          hint: "run netloom where it can be written: mount -o remount,rw /proc/sys, or a container with --privileged",
          code: "FAILED_PRECONDITION",
        }
      : undefined,
};

async function write(tools: BatchTools, _job: Job, object: Sysctl): Promise<void> {
  const { places, links, transaction, settings } = tools;
  const place = places.of(object.netns);
  const device = object.link === undefined ? undefined : links.find(place, object.link);
  const isNew = device !== undefined && links.wasMade(device);
  // No queued step changes a sysctl, but writing one may take the RTNL lock.
  if (!isNew) await transaction.flush();
  settings.write(place, object, isNew, (undo) => transaction.onRollBack(undo));
}
