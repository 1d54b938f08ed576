/** Where the kernel counts what a wire carries. */
import type { Counters, CounterQuery, Kernel, LinkEnd } from "../kernel/kernel.ts";
import { otherSide, type Side } from "../mechanisms/side.ts";
import { halvesOf, patchOf } from "./plan/plan.ts";
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

/**
 * Counted is what enters a device, and what comes out of a tunnel: what comes to a side has entered the port of the other one, or
 * has come out of its tunnel, or of a fused pair has entered its end.
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
