/** The kernel's counters of a wire's traffic. */
import type { Counters, CounterQuery, Kernel, LinkEnd } from "../kernel/kernel.ts";
import { otherSide, type Side } from "../mechanisms/side.ts";
import { halvesOf, patchOf } from "./plan/plan.ts";
import type { Wire } from "./wire.ts";

/** Packets on their way to one side of a wire. */
export interface Meter {
  readonly wire: Wire;
  readonly towards: Side;
}

/** Reads all meters in one kernel call, in their order; `undefined` where the device is gone. */
export async function readMeters(
  kernel: Kernel,
  meters: readonly Meter[],
): Promise<(Counters | undefined)[]> {
  return await kernel.counters(meters.map(meterQuery));
}

/**
 * Finds the counter for traffic towards one side. The kernel counts packets that enter a device and packets that leave a tunnel:
 * so the counter is the port of the other side, the exit of the other side's tunnel, or, between two workloads, the end of this side.
 */
export function meterQuery({ wire, towards }: Meter): CounterQuery {
  const halves = halvesOf(wire);
  const [to, from] = [halves[towards], halves[otherSide(towards)]];
  if (to.workload && from.workload) return queryFor(to.workload.link);
  if (!("tunnel" in from.port)) return queryFor(from.port.end);
  const bearer =
    from.devices.length + to.devices.length === 0 ? patchOf(wire)[otherSide(towards)] : undefined;
  const end = bearer ?? ("end" in to.port ? to.port.end : undefined);
  if (!end) throw new TypeError("a tunnel is on a device of ours");
  return { ...queryFor(end), isArrived: true };
}

function queryFor({ netns, name }: Pick<LinkEnd, "netns" | "name">): CounterQuery {
  return { netns, link: name };
}
