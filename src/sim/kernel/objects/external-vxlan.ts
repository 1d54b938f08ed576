import type { ExternalVxlan } from "../../../kernel/kernel.ts";
import { born, changeEnds, checkEnd, destroy, endOf, hideDevice } from "../links.ts";
import { Refused } from "../state.ts";
import { type SimObjectKind, untold } from "../object-kind.ts";

export const externalVxlan = {
  add(actor, object) {
    checkEnd(actor, object);
    const { kind, port } = object;
    const netns = actor.find(object.netns);
    if ([...netns.devices.values()].some((each) => each.externalPort === port && !each.isDoomed))
      throw new Refused("EEXIST", "a VXLAN device in metadata mode has this port");
    const device = born(actor, object, { kind, externalPort: port, transmit: () => undefined });
    return () => destroy(actor, device);
  },
  change: changeEnds,
  remove: hideDevice,
  observe: (observer, view) =>
    untold(observer, view, "external-vxlan").flatMap((device) =>
      device.externalPort === undefined
        ? []
        : [{ kind: "external-vxlan", ...endOf(observer, device), port: device.externalPort }],
    ),
} as const satisfies SimObjectKind<ExternalVxlan>;
