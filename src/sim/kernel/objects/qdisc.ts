import type { Qdisc } from "../../../kernel/kernel.ts";
import { deviceOf } from "../links.ts";
import { Refused } from "../state.ts";
import { devicesOf, type SimObjectKind } from "../object-kind.ts";

export const qdisc = {
  add(actor, object) {
    const device = deviceOf(actor.find(object.netns), object.link);
    if (device.qdisc) throw new Refused("EEXIST", "the device has a root qdisc");
    device.qdisc = object.shape;
    return () => {
      device.qdisc = undefined;
    };
  },
  remove(actor, object) {
    const device = actor.find(object.netns).devices.get(object.link);
    const shape = device?.qdisc;
    if (!device || !shape) return undefined;
    device.qdisc = undefined;
    return () => {
      if (!device.isDoomed) device.qdisc = shape;
    };
  },
  observe: ({ mark }, view) =>
    devicesOf(view).flatMap(({ name, group, qdisc }): Qdisc[] =>
      group === mark.group && qdisc ? [{ kind: "qdisc", netns: view.name, link: name, shape: qdisc }] : [],
    ),
} as const satisfies SimObjectKind<Qdisc>;
