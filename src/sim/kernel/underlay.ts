/** Carries tunnel packets between simulated hosts, from one end to the end that accepts them. */
import { arrivalKey } from "../../kernel/tunnel.ts";
import { tunnelKey } from "../../kernel/objects/vxlan.ts";
import { isAllowed } from "./guard.ts";
import type { Arrival, Frame, Journey, SimDevice, SimNetns } from "./state.ts";

/** The outer headers of a tunnel packet. */
export interface OuterHeaders {
  readonly vni: number;
  readonly port: number;
  readonly local: string;
  readonly remote: string;
}

/** Delivers a packet to the matching tunnel end; `undefined` if there is none. */
export function sendOuter(
  journey: Journey,
  underlay: SimNetns,
  { outer, frame }: { readonly outer: OuterHeaders; readonly frame: Frame },
): Arrival | undefined {
  const { local, remote } = outer;
  const vtep = journey.apart(underlay, { to: remote, source: local, bytes: frame.packet.bytes });
  if (!vtep || vtep.link === "lo") return undefined;
  const device = journey.machine.arrivals.get(
    arrivalIn(vtep.netns, { ...outer, local: remote, remote: local }),
  );
  if (device?.program?.wanted.tunnel && !device.isDoomed) return arrive(journey, device, frame);
  const other = journey.machine.tunnels.get(deviceIn(vtep.netns, outer));
  if (other && !other.isDoomed) return journey.enter(other, frame);
  refuse(journey, vtep.netns, { outer, frame });
  return undefined;
}

/**
 * The shared tunnel device counts packets without a matching tunnel. Without such a device the kernel has no socket for
 * them.
 */
function refuse(
  { machine }: Journey,
  underlay: SimNetns,
  { outer, frame }: { readonly outer: OuterHeaders; readonly frame: Frame },
): void {
  const { local: source, remote: destination, port, vni } = outer;
  const shared = [...underlay.devices.values()].find(
    (each) => each.externalPort === port && each.isUp && !each.isDoomed,
  );
  if (frame.packet.bytes === 0 || shared?.program?.wanted.verdict !== "decapsulate") return;
  machine.drops.countStranger(shared.program.pins, { source, destination, port, vni }, machine.nowMs());
}

function arrive(journey: Journey, device: SimDevice, frame: Frame): Arrival | undefined {
  const { arrived, wanted } = device.program ?? {};
  const check = { guard: wanted?.tunnel?.guard, on: device, isArrived: true } as const;
  if (!isAllowed(journey.machine, check, frame.packet)) return undefined;
  if (arrived && frame.packet.bytes > 0) {
    arrived.packets++;
    arrived.bytes += frame.packet.bytes;
  }
  const shortCut = frame.mac !== undefined && frame.mac === wanted?.tunnel?.mac ? device.peer : undefined;
  return shortCut ? journey.enter(shortCut, frame) : journey.transmit(device, frame);
}

/** The key of arriving tunnel packets in an underlay namespace: one device accepts them. */
export function arrivalIn(underlay: SimNetns, end: OuterHeaders): string {
  return `${underlay.cookie} ${arrivalKey(end)}`;
}

/** The key of a separate VXLAN device. */
export function deviceIn(underlay: SimNetns, end: OuterHeaders): string {
  return `${underlay.cookie} ${tunnelKey(end)}`;
}
