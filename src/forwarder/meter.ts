/** Where the kernel counts what a wire carries. */
import type { Counters, CounterQuery, Kernel } from "../kernel/kernel.ts";
import { otherSide, type Side } from "../mechanisms/side.ts";
import { halvesOf } from "./plan/plan.ts";
import type { Wire } from "./wire.ts";

/** Packets on their way to one side of a wire. */
export interface Meter {
  readonly wire: Wire;
  readonly towards: Side;
}

/** What the meters say, in their order; `undefined` where the device is gone. One call of the kernel for all. */
export async function readMeters(
  kernel: Kernel,
  meters: readonly Meter[],
): Promise<(Counters | undefined)[]> {
  return await kernel.counters(meters.map(meterQuery));
}

/** Counted is what enters a device: what comes to a side has entered the port of the other one, or of a fused pair its end. */
export function meterQuery({ wire, towards }: Meter): CounterQuery {
  const halves = halvesOf(wire);
  const [to, from] = [halves[towards], halves[otherSide(towards)]];
  const { netns, name } = to.workload && from.workload ? to.workload.link : from.port.end;
  return { netns, link: name };
}
