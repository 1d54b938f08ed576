import type { Neighbor } from "../../../kernel/kernel.ts";
import { simDeviceOf } from "../links.ts";
import { Refused } from "../state.ts";
import { devicesOf, type SimObjectKind } from "../object-kind.ts";

export const neighbor = {
  add(actor, object) {
    const device = simDeviceOf(actor.find(object.netns), object.link);
    const { address, mac } = object;
    if (device.neighbors.has(address)) throw new Refused("EEXIST", "neighbor exists");
    device.neighbors.set(address, { address, mac, protocol: actor.mark.protocol });
    return () => device.neighbors.delete(address);
  },
  remove(actor, object) {
    const device = actor.find(object.netns).devices.get(object.link);
    const entry = device?.neighbors.get(object.address);
    if (!device || !entry) return undefined;
    device.neighbors.delete(object.address);
    const { netns, name: link } = device;
    const { protocol } = entry;
    actor.machine.announce(netns, { type: "neighbor", link, protocol, by: actor, change: "removed" });
    return () => device.neighbors.set(object.address, entry);
  },
  observe: ({ mark }, view) =>
    devicesOf(view).flatMap(({ name, neighbors }) =>
      [...neighbors.values()]
        .filter(({ protocol }) => protocol === mark.protocol)
        .map(({ address, mac }) => ({ kind: "neighbor", netns: view.name, link: name, address, mac })),
    ),
} as const satisfies SimObjectKind<Neighbor>;
