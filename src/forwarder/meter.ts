/** Where the kernel counts what a wire carries. */
import type { CounterQuery, Counters, Kernel } from "../kernel/kernel.ts";
import { ofKind } from "../kernel/objects.ts";
import type { Plan } from "../kernel/plan.ts";
import type { Wire } from "./wire.ts";
import type { Side } from "../mechanisms/side.ts";

/** A wire, and what it is in the kernel. */
export interface PlannedWire {
  readonly wire: Wire;
  readonly plan: Plan;
}

/** Packets on their way to one side of a wire. */
export interface Meter extends PlannedWire {
  readonly towards: Side;
}

/** What the meters say, in their order; `undefined` where the device is gone. One call of the kernel for all. */
export async function readMeters(
  kernel: Kernel,
  meters: readonly Meter[],
): Promise<(Counters | undefined)[]> {
  return await kernel.counters(meters.map(meterQuery));
}

/** Counted is what enters a device: the workload's own, or on the way to or from another host one of this host's. */
export function meterQuery({ wire, plan, towards }: Meter): CounterQuery {
  const mechanism = wire[towards];
  const [tunnel] = ofKind(plan.objects, "vxlan");
  if (mechanism.type === "KERNEL") {
    // Out of the tunnel come the packets for the workload, out of the workload's pair those for the tunnel.
    if (tunnel) return { netns: tunnel.netns, link: tunnel.name };
    return { netns: mechanism.netns, link: mechanism.interfaceName };
  }
  const [pair] = ofKind(plan.objects, "veth");
  if (!pair) throw new TypeError(`wire ${wire.connectionId} has no device towards its ${towards}`);
  const [, { netns, name }] = pair.ends;
  return { netns, link: name };
}
