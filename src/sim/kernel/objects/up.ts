import { reason } from "../../../errors/reasons.ts";
import type { Up } from "../../../kernel/kernel.ts";
import { type Actor, simDeviceOf, setDown, type Undo } from "../links.ts";
import { announcePair } from "../news.ts";
import { devicesOf, type SimObjectKind } from "../object-kind.ts";
import { Refused, type SimDevice } from "../state.ts";

export const up = {
  add: setUp,
  change(actor, object, { lacksLinkLocal }) {
    if (!lacksLinkLocal) return setUp(actor, object);
    const device = simDeviceOf(actor.find(object.netns), object.link);
    device.lacksLinkLocal = false;
    return () => (device.lacksLinkLocal = true);
  },
  remove(actor, { netns, link }) {
    const device = actor.find(netns).devices.get(link);
    return device && setDown(actor, device);
  },
  observe: ({ mark }, view) =>
    devicesOf(view)
      .filter(({ isUp, group }) => isUp && group === mark.group)
      .map(({ name, lacksLinkLocal }) => ({
        kind: "up",
        netns: view.name,
        link: name,
        ...(lacksLinkLocal && { lacksLinkLocal }),
      })),
} as const satisfies SimObjectKind<Up>;

function setUp(actor: Actor, object: Up): Undo {
  const netns = actor.find(object.netns);
  const device = simDeviceOf(netns, object.link);
  if (device.isUp) return () => {};
  demandPort(device);
  device.isUp = true;
  announcePair(actor.machine, device);
  // Setting the device down removes addresses and neighbours that it had before it was up: restore them.
  const addresses = [...device.addresses];
  const neighbors = [...device.neighbors];
  return () => {
    setDown(actor, device);
    for (const address of addresses) device.addresses.add(address);
    for (const [key, neighbor] of neighbors) device.neighbors.set(key, neighbor);
  };
}

/** A device in metadata mode has its UDP port exclusively. */
function demandPort({ externalPort, tunnel, netns }: SimDevice): void {
  const port = externalPort ?? tunnel?.port;
  if (port === undefined) return;
  const holders = [...(tunnel?.underlay ?? netns).devices.values()].filter(({ isUp }) => isUp);
  const holder = holders.find(
    (each) => each.externalPort === port || (externalPort !== undefined && each.tunnel?.port === port),
  );
  if (holder)
    throw new Refused("EADDRINUSE", `UDP port ${port} is ${holder.name}'s`, {
      reason: reason("UDP_PORT_TAKEN", { port: String(port) }),
    });
}
