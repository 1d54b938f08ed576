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
 *
 *  port and workload      tap0 -redirect-> nlv…===veth===[endpoint: nse-1]
 *                              <-redirect-
 *
 *  two ports              tap0 -redirect-> nlp…===veth===nlp… -redirect-> tap1
 *                              <-redirect-                    <-redirect-
 * ```
 *
 * Between two ports there would be nothing of ours: the pair between them says whose the wire is.
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
  /** The two ends of the pair between two ports. */
  readonly patch: Readonly<Record<Side, LinkEnd>>;
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
  if (a.devices.length + b.devices.length === 0) return patched({ client, endpoint }, options);
  const devices = [...a.devices, ...b.devices];
  return {
    devices,
    programs: [redirect(a, b), redirect(b, a)],
    sysctls: settings([a.port, b.port]),
    up: devices.flatMap(endsOf),
    workloads,
  };
}

/** Each port has an end of a pair of ours as its far side. */
function patched({ client, endpoint }: Readonly<Record<Side, Half>>, { patch }: JoinOptions): Joined {
  const [near, far] = [patch.client, patch.endpoint].map((end): Half => ({ devices: [], port: { end } }));
  if (!near || !far) throw new TypeError("a pair has two ends");
  const device: Veth = { kind: "veth", ends: [patch.client, patch.endpoint] };
  return {
    devices: [device],
    programs: [
      redirect(client, near),
      redirect(near, client),
      redirect(endpoint, far),
      redirect(far, endpoint),
    ],
    sysctls: settings([near.port, far.port]),
    up: device.ends,
    workloads: [],
  };
}

/** Of the host's own ends. */
function settings(ports: readonly Port[]): Sysctl[] {
  return ports.flatMap((port) => (port.index === undefined ? withoutIpv6(port.end) : []));
}

function counting({ netns, name }: LinkEnd): Program {
  return { kind: "program", netns, link: name, verdict: "pass" };
}

/** What comes in by the port of `from` goes out by that of `to`. */
function redirect(from: Half, to: Half): Program {
  const verdict = isShort(from.port, to) ? "redirect-peer" : "redirect";
  const { end, index } = from.port;
  const borrowed = index !== undefined && { index };
  return { kind: "program", netns: HOST, link: end.name, verdict, target: to.port.end.name, ...borrowed };
}

/**
 * The short cut to the far end of a veth pair exists only into another namespace. It leaves a frame the packet type that
 * its device gave it: for this host, if the frame was for the device's own MAC. A port has a MAC of its own: what comes from there
 * goes through the veth, which tells anew whom a frame is for.
 */
function isShort({ end, index }: Port, { workload }: Half): boolean {
  if (index !== undefined || !workload) return false;
  return workload.link.netns !== HOST && workload.link.mac === end.mac;
}
