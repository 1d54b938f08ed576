import type { Program } from "../../../kernel/kernel.ts";
import { simDeviceOf } from "../links.ts";
import { Refused, type SimDevice } from "../state.ts";
import { devicesOf, type SimObjectKind } from "../object-kind.ts";

export const program = {
  add(actor, object) {
    const netns = actor.find(object.netns);
    const device = simDeviceOf(netns, object.link);
    demandBorrowed(device, object.index);
    const target = object.target === undefined ? undefined : simDeviceOf(netns, object.target);
    if (device.program) throw new Refused("EEXIST", "the device has a program");
    device.program = { verdict: object.verdict, target, pins: actor.pins, packets: 0, bytes: 0 };
    return () => {
      device.program = undefined;
    };
  },
  remove(actor, object) {
    const devices = actor.find(object.netns).devices;
    // A borrowed device may have another name by now.
    const device =
      object.index === undefined
        ? devices.get(object.link)
        : [...devices.values()].find(({ index }) => index === object.index);
    const program = device?.program;
    if (!device || program?.pins !== actor.pins) return undefined;
    device.program = undefined;
    return () => {
      if (!device.isDoomed) device.program = program;
    };
  },
  observe: ({ pins, mark }, view) =>
    devicesOf(view).flatMap(({ name, program, group, index }): Program[] => {
      if (program?.pins !== pins) return [];
      const { verdict, target } = program;
      const isThere = target !== undefined && !target.isDoomed;
      return [
        {
          kind: "program",
          netns: view.name,
          link: name,
          verdict,
          ...(isThere && { target: target.name }),
          ...(group !== mark.group && { index }),
        },
      ];
    }),
} as const satisfies SimObjectKind<Program>;

function demandBorrowed({ name, index, master }: SimDevice, wanted: number | undefined): void {
  if (wanted === undefined) return;
  if (index !== wanted) throw new Refused("ENODEV", `${name} is another device by now`);
  if (master !== undefined) throw new Refused("EBUSY", `${name} is a member of another device`);
}
