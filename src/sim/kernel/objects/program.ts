import type { Program } from "../../../kernel/kernel.ts";
import { simDeviceOf } from "../links.ts";
import { Refused } from "../state.ts";
import { devicesOf, type SimObjectKind } from "../object-kind.ts";

export const program = {
  add(actor, object) {
    const netns = actor.find(object.netns);
    const device = simDeviceOf(netns, object.link);
    const target = object.target === undefined ? undefined : simDeviceOf(netns, object.target);
    if (device.program) throw new Refused("EEXIST", "the device has a program");
    device.program = { verdict: object.verdict, target, pins: actor.pins, packets: 0, bytes: 0 };
    return () => {
      device.program = undefined;
    };
  },
  remove(actor, object) {
    const device = actor.find(object.netns).devices.get(object.link);
    const program = device?.program;
    if (!device || program?.pins !== actor.pins) return undefined;
    device.program = undefined;
    return () => {
      if (!device.isDoomed) device.program = program;
    };
  },
  observe: ({ pins }, view) =>
    devicesOf(view).flatMap(({ name, program }): Program[] => {
      if (program?.pins !== pins) return [];
      const { verdict, target } = program;
      const isThere = target !== undefined && !target.isDoomed;
      return [
        { kind: "program", netns: view.name, link: name, verdict, ...(isThere && { target: target.name }) },
      ];
    }),
} as const satisfies SimObjectKind<Program>;
