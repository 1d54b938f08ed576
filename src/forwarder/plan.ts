/**
 * From a wire to what has to be in the kernel.
 *
 * ```
 *  local    [client: nsm-1]===veth===[endpoint: nse-1]
 *
 *  remote   [client: nsm-1]===veth===nlv…  -redirect->       nlx… ))) VXLAN
 *  (half)                                  <-redirect-peer-
 * ```
 */
import type { Plan } from "../kernel/plan.ts";
import type { KernelObject, LinkEnd, Program, Sysctl, Vxlan } from "../kernel/kernel.ts";
import { HOST, hostEnd, workloadEnd } from "./mechanisms/kernel.ts";
import { vxlanDevice, vxlanMtu } from "./mechanisms/vxlan.ts";
import { planIp } from "./plan-ip.ts";
import { withoutIpv6 } from "./plan-settings.ts";
import type { KernelMechanism, Mechanism, VxlanMechanism, Wire } from "./wire.ts";
import type { Side } from "../mechanisms/side.ts";

export interface PlanOptions {
  /**
   * Attach the `wire` program to both ends of a local wire too, where it will check sources. Default: false: the kernel
   * counts what enters a device anyway, and attaching in a workload's namespace costs 8-20 ms an end.
   */
  readonly localPrograms?: boolean;
}

/** MTU of a local wire when nobody asks for another: what every client program expects of an interface. */
const LOCAL_MTU = 1500;

/** Pure. A TypeError if the wire is not valid: `validateWire` says why. */
export function plan(wire: Wire, options: PlanOptions = {}): Plan {
  const { client, endpoint } = wire;
  if (client.type === "KERNEL" && endpoint.type === "KERNEL") {
    return planLocal(wire, { client, endpoint }, options.localPrograms ?? false);
  }
  if (client.type === "KERNEL" && endpoint.type === "VXLAN")
    return planHalf(wire, "client", client, endpoint);
  if (client.type === "VXLAN" && endpoint.type === "KERNEL")
    return planHalf(wire, "endpoint", endpoint, client);
  throw new TypeError(`wire ${wire.connectionId} joins two tunnels`);
}

/** The smallest MTU that anyone on this host knows of: the context, both ends, the tunnel. 1500 if nobody says one. */
export function wireMtu(wire: Wire): number {
  const asked = [wire.context.mtuBytes, mechanismMtu(wire.client), mechanismMtu(wire.endpoint)];
  return asked.reduce<number | undefined>(smaller, undefined) ?? LOCAL_MTU;
}

function mechanismMtu(mechanism: Mechanism): number | undefined {
  return mechanism.type === "KERNEL" ? mechanism.mtuBytes : vxlanMtu(mechanism);
}

/** As in NSM's messages, 0 says nothing. */
function smaller(a: number | undefined, b: number | undefined): number | undefined {
  return a && b ? Math.min(a, b) : a || b;
}

function planLocal(wire: Wire, ends: Record<Side, KernelMechanism>, programs: boolean): Plan {
  const mtuBytes = wireMtu(wire);
  const client = workloadEnd(wire, "client", ends.client, mtuBytes);
  const endpoint = workloadEnd(wire, "endpoint", ends.endpoint, mtuBytes);
  return assemble(wire, {
    devices: [{ kind: "veth", ends: [client, endpoint] }],
    programs: programs ? [counting(client), counting(endpoint)] : [],
    sysctls: [],
    up: [client, endpoint],
    workloads: [
      ["client", client, ends.client],
      ["endpoint", endpoint, ends.endpoint],
    ],
  });
}

function planHalf(wire: Wire, side: Side, mechanism: KernelMechanism, tunnel: VxlanMechanism): Plan {
  const mtuBytes = wireMtu(wire);
  const workload = workloadEnd(wire, side, mechanism, mtuBytes);
  const host = hostEnd(wire, side, mtuBytes);
  const vxlan = vxlanDevice(wire, side, tunnel, mtuBytes);
  return assemble(wire, {
    devices: [{ kind: "veth", ends: [workload, host] }, vxlan],
    programs: [
      { kind: "program", netns: HOST, link: host.name, verdict: "redirect", target: vxlan.name },
      { kind: "program", netns: HOST, link: vxlan.name, verdict: inward(workload), target: host.name },
    ],
    sysctls: [host, vxlan].flatMap(withoutIpv6),
    up: [workload, host, vxlan],
    workloads: [[side, workload, mechanism]],
  });
}

/** The short cut to the far end of a veth pair exists only into another namespace. */
function inward(workload: LinkEnd): Program["verdict"] {
  return workload.netns === HOST ? "redirect" : "redirect-peer";
}

function counting(end: LinkEnd): Program {
  return { kind: "program", netns: end.netns, link: end.name, verdict: "pass" };
}

interface Parts {
  readonly devices: readonly KernelObject[];
  readonly programs: readonly Program[];
  readonly sysctls: readonly Sysctl[];
  readonly up: readonly (LinkEnd | Vxlan)[];
  readonly workloads: readonly (readonly [Side, LinkEnd, KernelMechanism])[];
}

function assemble(wire: Wire, parts: Parts): Plan {
  const ip = parts.workloads.map(([side, end, trust]) => planIp(wire, side, { link: end, trust }));
  return {
    owner: wire.connectionId,
    objects: [
      ...parts.devices,
      ...parts.programs,
      ...parts.sysctls,
      ...ip.flatMap((each) => each.sysctls),
      ...ip.flatMap((each) => each.addresses),
      ...parts.up.map(({ netns, name }): KernelObject => ({ kind: "up", netns, link: name })),
      ...ip.flatMap((each) => each.routes),
      ...ip.flatMap((each) => each.neighbors),
      ...ip.flatMap((each) => each.rules),
    ],
  };
}
