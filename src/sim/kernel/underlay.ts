/** Tunnel packets between simulated hosts: from one end to whatever takes in what comes from there. */
import { arrivalKey } from "../../kernel/tunnel.ts";
import { tunnelKey } from "../../kernel/objects/vxlan.ts";
import { isAllowed } from "./guard.ts";
import type { Arrival, Frame, Journey, SimDevice, SimNetns } from "./state.ts";

/** What the outer headers say. */
export interface OuterHeaders {
  readonly vni: number;
  readonly port: number;
  readonly local: string;
  readonly remote: string;
}

/** To the end that is open for it; `undefined` if none is. */
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

/** The shared device of the tunnels counts what nobody negotiated; where there is none, the kernel has no socket for it. */
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

/** What may come in by a namespace's underlay has one device. */
export function arrivalIn(underlay: SimNetns, end: OuterHeaders): string {
  return `${underlay.cookie} ${arrivalKey(end)}`;
}

/** A VXLAN device of its own. */
export function deviceIn(underlay: SimNetns, end: OuterHeaders): string {
  return `${underlay.cookie} ${tunnelKey(end)}`;
}
