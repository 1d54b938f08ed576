/**
 * Whether packets go through a wire, and not through something beside it: they leave by the wire's own device, the largest
 * ones pass, and both ends have counted them.
 */
import type { Counters, Netns } from "../kernel/kernel.ts";
import type { Prober } from "../kernel/prober.ts";

/** A packet that is too large is refused at once, where it is refused. */
const REFUSAL_MS = 100;

export interface Way {
  readonly netns: Netns;
  /** The wire's device there. */
  readonly device: string;
  readonly address: string;
  readonly mtuBytes: number;
  readonly timeoutMs: number;
}

/** What was found, and how many packets have to have come to either end. */
export interface Proof {
  /** Sentences; empty if all is well. */
  readonly problems: readonly string[];
  readonly sent: number;
}

/** Which way the workload's own packets to the other end take, and how large they may be. */
export async function proveWay(prober: Prober, way: Way): Promise<Proof> {
  const { netns, device, address, mtuBytes, timeoutMs } = way;
  const leavesBy = await prober.deviceTowards(netns, address);
  const largest = await prober.probe(netns, address, { device, timeoutMs, packetBytes: mtuBytes });
  const larger = await prober.probe(netns, address, {
    device,
    timeoutMs: REFUSAL_MS,
    packetBytes: mtuBytes + 1,
  });
  const isRefused = larger.reason === "EMSGSIZE";
  const problems = [
    ...(leavesBy === undefined ? [`no route of the workload leads to ${address}`] : []),
    ...(leavesBy !== undefined && leavesBy !== device
      ? [`the workload's packets to ${address} leave by ${leavesBy}: ${device} is shadowed`]
      : []),
    ...(largest.rttMs === undefined
      ? [
          `a packet of ${mtuBytes} bytes, the wire's MTU, to ${address} is not answered (${largest.reason ?? "timeout"})`,
        ]
      : []),
    ...(isRefused
      ? []
      : [
          `a packet of ${mtuBytes + 1} bytes to ${address} is not refused, and the wire's MTU is ${mtuBytes}`,
        ]),
  ];
  return { problems, sent: isRefused ? 1 : 2 };
}

/** One end of a wire, and what it had counted of what comes to it before and after. */
export interface CountedEnd {
  readonly name: string;
  readonly before: Counters | undefined;
  readonly after: Counters | undefined;
}

/** Which end has not counted `sent` packets: requests at one end, answers at the other. One that counts nowhere is passed over. */
export function countProblems(ends: readonly CountedEnd[], sent: number): string[] {
  return ends.flatMap(({ name, before, after }) => {
    if (!before || !after) return [];
    const counted = Math.max(0, after.packets - before.packets);
    return counted >= sent ? [] : [`${name} has counted ${counted} packets, and ${sent} have to come to it`];
  });
}
