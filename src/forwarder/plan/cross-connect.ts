/**
 * Two halves of one host, joined.
 *
 * ```
 *  two workloads          [client: nsm-1]===veth===[endpoint: nse-1]
 *
 *  workload and tunnel    [client: nsm-1]===veth===nlv…  -redirect->       nlx… ))) VXLAN
 *                                                        <-redirect-peer-
 *
 *  two tunnels            VXLAN ((( nlx…  -redirect->  nlx… ))) VXLAN
 *                                         <-redirect-
 * ```
 */
import type { LinkEnd, Program, Sysctl, Veth, Vxlan } from "../../kernel/kernel.ts";
import { HOST, type Half, type Port, type WorkloadLink } from "../../mechanisms/half.ts";
import type { Side } from "../../mechanisms/side.ts";
import { endsOf } from "../../kernel/objects.ts";
import { withoutIpv6 } from "./plan-settings.ts";

/** Each list in the order in which it is made. */
export interface Joined {
  readonly devices: readonly (Veth | Vxlan)[];
  readonly programs: readonly Program[];
  readonly sysctls: readonly Sysctl[];
  /** What is set up. */
  readonly up: readonly LinkEnd[];
  /** What gets addresses. */
  readonly workloads: readonly (readonly [Side, WorkloadLink])[];
}

export interface JoinOptions {
  /** A program that counts on both ends of a fused pair. */
  readonly localPrograms: boolean;
}

const SIDES = ["client", "endpoint"] as const;

/** Two halves that end in veth pairs are one pair. All others hand each frame from port to port, by a program at each. */
export function crossConnect(halves: Readonly<Record<Side, Half>>, options: JoinOptions): Joined {
  const { client, endpoint } = halves;
  const workloads = SIDES.flatMap((side) => {
    const { workload } = halves[side];
    return workload ? [[side, workload] as const] : [];
  });
  if (client.workload && endpoint.workload) {
    const ends = [client.workload.link, endpoint.workload.link] as const;
    return {
      devices: [{ kind: "veth", ends }],
      programs: options.localPrograms ? ends.map(counting) : [],
      sysctls: [],
      up: ends,
      workloads,
    };
  }
  const [a, b] = endpoint.workload ? [endpoint, client] : [client, endpoint];
  const devices = [...a.devices, ...b.devices];
  return {
    devices,
    programs: [redirect(a, b), redirect(b, a)],
    sysctls: [a.port, b.port].flatMap(({ end }) => withoutIpv6(end)),
    up: devices.flatMap(endsOf),
    workloads,
  };
}

function counting({ netns, name }: LinkEnd): Program {
  return { kind: "program", netns, link: name, verdict: "pass" };
}

/** What comes in by the port of `from` goes out by that of `to`. */
function redirect(from: Half, to: Half): Program {
  const verdict = isShort(from.port, to) ? "redirect-peer" : "redirect";
  return { kind: "program", netns: HOST, link: from.port.end.name, verdict, target: to.port.end.name };
}

/**
 * The short cut to the far end of a veth pair exists only into another namespace. It leaves a frame the packet type that
 * its device gave it: for this host, if the frame was for the device's own MAC.
 */
function isShort({ end }: Port, { workload }: Half): boolean {
  return workload !== undefined && workload.link.netns !== HOST && workload.link.mac === end.mac;
}
