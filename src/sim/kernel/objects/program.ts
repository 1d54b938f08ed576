import type { Program } from "../../../kernel/kernel.ts";
import { type Actor, simDeviceOf, type Undo } from "../links.ts";
import { Refused, type SimDevice } from "../state.ts";
import { devicesOf, type SimObjectKind } from "../object-kind.ts";
import { arrivalIn } from "../underlay.ts";

export const program = {
  add(actor, object) {
    const device = simDeviceOf(actor.find(object.netns), object.link);
    demandBorrowed(device, object.index);
    if (device.program) throw new Refused("EEXIST", "the device has a program");
    return put(actor, device, object);
  },
  change(actor, object) {
    const device = simDeviceOf(actor.find(object.netns), object.link);
    if (!device.program) throw new Refused("ENOENT", "the device has no program");
    return put(actor, device, object);
  },
  remove(actor, object) {
    const devices = actor.find(object.netns).devices;
    // A borrowed device may have been renamed.
    const device =
      object.index === undefined
        ? devices.get(object.link)
        : [...devices.values()].find(({ index }) => index === object.index);
    const program = device?.program;
    if (!device || program?.pins !== actor.pins) return undefined;
    const { tunnel } = program.wanted;
    const key = tunnel && arrivalIn(actor.home, tunnel);
    if (key !== undefined) actor.machine.arrivals.delete(key);
    device.program = undefined;
    return () => {
      if (device.isDoomed) return;
      device.program = program;
      if (key !== undefined) actor.machine.arrivals.set(key, device);
    };
  },
  observe: ({ pins, mark }, view) =>
    devicesOf(view).flatMap(({ name, program, group, index }): Program[] => {
      if (program?.pins !== pins) return [];
      const { target: _target, index: _index, ...wanted } = program.wanted;
      const { target } = program;
      const isThere = target !== undefined && !target.isDoomed;
      return [
        {
          ...wanted,
          netns: view.name,
          link: name,
          ...(isThere && { target: target.name }),
          ...(group !== mark.group && { index }),
        },
      ];
    }),
} as const satisfies SimObjectKind<Program>;

/** Sets or replaces the program of a device. The counters go on. */
function put(actor: Actor, device: SimDevice, wanted: Program): Undo {
  const { arrivals } = actor.machine;
  const target = wanted.target === undefined ? undefined : simDeviceOf(device.netns, wanted.target);
  const before = device.program;
  const [left, key] = [before?.wanted.tunnel, wanted.tunnel].map((tunnel) =>
    tunnel ? arrivalIn(actor.home, tunnel) : undefined,
  );
  const holder = key === undefined ? undefined : arrivals.get(key);
  if (wanted.tunnel && holder && holder !== device && !holder.isDoomed && holder.program?.wanted.tunnel)
    throw new Refused(
      "EEXIST",
      `VNI ${wanted.tunnel.vni} from ${wanted.tunnel.remote} is taken by device ${holder.name}`,
    );
  device.program = {
    wanted,
    target,
    pins: actor.pins,
    packets: before?.packets ?? 0,
    bytes: before?.bytes ?? 0,
    ...(wanted.tunnel && { arrived: before?.arrived ?? { packets: 0, bytes: 0 } }),
  };
  if (left !== undefined) arrivals.delete(left);
  if (key !== undefined) arrivals.set(key, device);
  return () => {
    device.program = before;
    if (key !== undefined) arrivals.delete(key);
    if (left !== undefined) arrivals.set(left, device);
  };
}

function demandBorrowed({ name, index, master }: SimDevice, wanted: number | undefined): void {
  if (wanted === undefined) return;
  if (index !== wanted) throw new Refused("ENODEV", `${name} is another device by now`);
  if (master !== undefined) throw new Refused("EBUSY", `${name} is a member of another device`);
}
