/** The tools of a batch for the kinds of its objects. */
import type { LinkEnd, Operation } from "../../kernel/kernel.ts";
import { endsOf } from "../../kernel/objects.ts";
import { isDeviceRemoval } from "../../kernel/operations.ts";
import { Links } from "./links.ts";
import type { Link } from "../netlink/link-decode.ts";
import type { BatchContext, BatchTools } from "../object-kind.ts";
import { linuxKindOf } from "../objects.ts";
import { observe } from "./observe.ts";
import type { NetnsPlace } from "../namespaces/place.ts";
import { Readiness } from "./readiness.ts";
import { doomedGroup } from "./reaper.ts";
import { type Job, refuseStep } from "./refuse.ts";
import { Transaction } from "./transaction.ts";

/** Requires that all existing namespaces of `operations` are open. */
export function batchTools(context: BatchContext, operations: readonly Operation[]): BatchTools {
  const { places, mark, reaper } = context;
  const links = new Links(doomedGroup(mark.group));
  const transaction = new Transaction(reaper);
  const leaving = leavingEnds(context, operations);
  return {
    ...context,
    operations,
    links,
    transaction,
    readiness: new Readiness(),
    linkOf(job: Job, place: NetnsPlace, name: string): Link | undefined {
      const link = links.find(place, name);
      if (link || job.operation.verb === "remove") return link;
      throw refuseStep(job, "ENODEV", `there is no device ${name}`);
    },
    isLeaving: (place, link) => leaving.get(place)?.has(link) ?? false,
    isStrangers(place, link) {
      const end = leaving.get(place)?.get(link.name);
      return end !== undefined && (link.group !== mark.group || (link.alias ?? "") !== end.alias);
    },
    /** Does nothing for a device that this batch has made: the undo removes it. */
    async restoreLater(place, link) {
      if (links.wasMade(link)) return;
      await transaction.flush();
      const target = { linkIndex: link.index, protocol: mark.protocol };
      const lost = observe(
        { places, mark, programOf: () => undefined, tunnelOf: () => undefined, known: () => [] },
        [{ netns: place.netns, links: [link.name] }],
      );
      transaction.onRollBack(() => {
        for (const object of lost) {
          const request = linuxKindOf(object).restore?.(object, target);
          if (request) place.socket.change(request);
        }
      });
    },
  };
}

/** The ends of the devices that the operations remove, by place and name. */
function leavingEnds(
  { places }: BatchContext,
  operations: readonly Operation[],
): ReadonlyMap<NetnsPlace, ReadonlyMap<string, LinkEnd>> {
  const leaving = new Map<NetnsPlace, Map<string, LinkEnd>>();
  for (const end of operations.filter(isDeviceRemoval).flatMap(({ object }) => endsOf(object))) {
    const place = places.find(end.netns);
    if (place) leaving.set(place, (leaving.get(place) ?? new Map<string, LinkEnd>()).set(end.name, end));
  }
  return leaving;
}
