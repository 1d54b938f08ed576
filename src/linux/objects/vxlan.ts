import type { Vxlan } from "../../kernel/kernel.ts";
import { namespacesOf } from "../../kernel/objects.ts";
import { familyOf } from "../../net/ip.ts";
import { deviceObject } from "../devices/device-object.ts";
import { existingVni } from "../devices/holders.ts";
import { changeVxlan, newVxlan } from "../netlink/link.ts";
import { noDriver } from "../batch/no-feature.ts";
import type { LinuxObjectKind } from "../object-kind.ts";
import { refuseStep } from "../batch/refuse.ts";
import { linkEnd, ownLinks } from "../batch/view.ts";

export const vxlan: LinuxObjectKind<Vxlan> = deviceObject<Vxlan>({
  // The socket of the device stays in the namespace where the device is made.
  madeIn: "host",
  create(device, [end]) {
    if (!end) throw new TypeError("a VXLAN device without its end");
    return newVxlan(end, device);
  },
  change(tools, job, { place, link, to, from }) {
    if (to.vni !== from.vni || to.port !== from.port || familyOf(to.local) !== familyOf(from.local))
      throw refuseStep(job, "EOPNOTSUPP", {
        reason: "a tunnel cannot change its VNI, its port or its address family",
        hint: "remove it, then add it",
      });
    if (to.local === from.local && to.remote === from.remote) return;
    tools.transaction.enqueue(place, {
      operation: job.number,
      request: changeVxlan(link.index, to),
      undo: changeVxlan(link.index, from),
    });
  },
  inTheWay({ places, mark }, device) {
    const concerned = namespacesOf(device).toReversed();
    return existingVni(
      device,
      concerned.map((netns) => places.of(netns)),
      mark,
    );
  },
  explain: ({ errno, ack }) => noDriver("VXLAN", errno, ack),
  observe: (context, view) =>
    ownLinks(context, view).flatMap((link): Vxlan[] => {
      const { vni, local, remote, port } = link.vxlan ?? {};
      if (vni === undefined || local === undefined || remote === undefined || port === undefined) return [];
      return [{ kind: "vxlan", ...linkEnd(view.netns, link), vni, local, remote, port }];
    }),
});
