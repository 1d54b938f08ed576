import type { Up } from "../../kernel/kernel.ts";
import { ofKind } from "../../kernel/objects.ts";
import { takenPort } from "../devices/holders.ts";
import * as k from "../netlink/constants.ts";
import { changeLink } from "../netlink/link.ts";
import type { BatchTools, LinuxObjectKind } from "../object-kind.ts";
import type { Job } from "../batch/refuse.ts";
import { ABSENT } from "../batch/transaction.ts";
import { ownLinks } from "../batch/view.ts";

export const up: LinuxObjectKind<Up> = {
  add: (tools, job, object) => set(tools, job, object, true),
  change: (tools, job, object) => set(tools, job, object, true),
  remove: (tools, job, object) => set(tools, job, object, false),
  observe: (context, view) =>
    ownLinks(context, view)
      .filter(({ flags }) => (flags & k.IFF_UP) !== 0)
      .map(({ name }) => ({ kind: "up", netns: view.netns, link: name })),
  /** A tunnel device opens its port when it is set up. */
  explain({ errno, object, tools }) {
    if (errno !== "EADDRINUSE" || !tools) return undefined;
    const { places, mark, links, operations } = tools;
    const place = places.find(object.netns);
    // Of a device that this batch has made nothing but its kind is known, and the undo has taken it away by now.
    const objects = operations.map((each) => each.object);
    const made = [...ofKind(objects, "vxlan"), ...ofKind(objects, "external-vxlan")].find(
      ({ name }) => name === object.link,
    );
    const port = made?.port ?? (place && links.find(place, object.link)?.vxlan?.port);
    return port === undefined ? undefined : takenPort(port, places.of("host"), mark);
  },
};

async function set(tools: BatchTools, job: Job, object: Up, isUp: boolean): Promise<void> {
  const { places, links, transaction, readiness } = tools;
  const place = places.find(object.netns);
  if (!place || (!isUp && tools.isLeaving(place, object.link))) return;
  const link = tools.linkOf(job, place, object.link);
  if (!link || ((link.flags & k.IFF_UP) !== 0) === isUp) return;
  await tools.restoreLater(place, link);
  links.put(place, { ...link, flags: isUp ? link.flags | k.IFF_UP : link.flags & ~k.IFF_UP });
  transaction.enqueue(place, {
    operation: job.number,
    request: changeLink(link.index, { up: isUp }),
    undo: changeLink(link.index, { up: !isUp }),
    ...(isUp ? { onDone: () => readiness.expectLink(place, link.index) } : { absent: ABSENT }),
  });
}
