/**
 * Joins the two halves of a wire on one host.
 *
 * ```
 *  two workloads          [client: nsm-1]===veth===[endpoint: nse-1]
 *
 *  the same, guarded      [client: nsm-1]===veth===nlv… -redirect-> nlv…===veth===[endpoint: nse-1]
 *                                                       <-redirect-
 *
 *  workload and tunnel    [client: nsm-1]===veth===nlv… ))) tunnel
 *
 *  two tunnels            tunnel ((( nlp…===veth===nlp… ))) tunnel
 *
 *  port and workload      tap0 -redirect-> nlv…===veth===[endpoint: nse-1]
 *                              <-redirect-
 *
 *  port and tunnel        tap0 -redirect-> nlp…===veth===nlp… ))) tunnel
 *                              <-redirect-
 *
 *  two ports              tap0 -redirect-> nlp…===veth===nlp… -redirect-> tap1
 *                              <-redirect-                    <-redirect-
 * ```
 *
 * If neither half has a Netloom device, the aliases of the pair between them name the wire, and the pair carries the tunnels.
 */
import type { Guard } from "../../kernel/guard.ts";
import type { KernelObject, LinkEnd, Program, Sysctl, Veth } from "../../kernel/kernel.ts";
import {
  type DevicePort,
  HOST,
  type Half,
  type Port,
  type TunnelPort,
  type WorkloadLink,
} from "../../mechanisms/half.ts";
import type { Side } from "../../mechanisms/side.ts";
import { endsOf, identityOf } from "../../kernel/objects.ts";
import type { Guards } from "./guards.ts";
import { withoutIpv6 } from "./plan-settings.ts";

/** The objects that join two halves; each list in creation order. */
export interface Joined {
  readonly devices: readonly Veth[];
  /** Programs at the ports. */
  readonly programs: readonly Program[];
  readonly sysctls: readonly Sysctl[];
  /** Link ends to set up. */
  readonly up: readonly LinkEnd[];
  /** Links that get addresses. */
  readonly workloads: readonly (readonly [Side, WorkloadLink])[];
  /** Objects that other wires use too. */
  readonly shared: readonly KernelObject[];
}

export interface JoinOptions {
  /** The traffic that each side may send. */
  readonly guards: Guards;
  /** Check the traffic between two workloads of this host too; their ends are then not fused into one pair. */
  readonly isGuarded: boolean;
  /** The two ends of the pair between two ports. */
  readonly patch: Readonly<Record<Side, LinkEnd>>;
}

const SIDES = ["client", "endpoint"] as const;

/**
 * Joins two halves. Two unguarded workloads share one veth pair. Other halves pass each frame from port to port, with a program
 * at each port.
 */
export function crossConnect(halves: Readonly<Record<Side, Half>>, options: JoinOptions): Joined {
  const { client, endpoint } = halves;
  const workloads = SIDES.flatMap((side) => {
    const { workload } = halves[side];
    return workload ? [[side, workload] as const] : [];
  });
  if (client.workload && endpoint.workload && !options.isGuarded) {
    const ends = [client.workload.link, endpoint.workload.link] as const;
    return {
      devices: [{ kind: "veth", ends }],
      programs: [],
      sysctls: [],
      up: ends,
      workloads,
      shared: [],
    };
  }
  const { guards } = options;
  const [near, far] = [guarded(client, guards.client), guarded(endpoint, guards.endpoint)];
  const [a, b] = endpoint.workload ? [far, near] : [near, far];
  if (a.devices.length + b.devices.length === 0) return patched({ client: near, endpoint: far }, options);
  const devices = [...a.devices, ...b.devices];
  return {
    devices,
    programs: join(a, b),
    sysctls: settings([a.port, b.port]),
    up: devices.flatMap(endsOf),
    workloads,
    shared: sharedBy(a, b),
  };
}

/** A half with the guard of its side. */
type GuardedHalf = Half & { readonly guard?: Guard };

/** A half whose port is a device. */
type PortHalf = GuardedHalf & { readonly port: DevicePort };

function guarded(half: Half, guard: Guard | undefined): GuardedHalf {
  return { ...half, ...(guard && { guard }) };
}

/** Joins each half to one end of a new veth pair, which checks nothing again. */
function patched({ client, endpoint }: Readonly<Record<Side, GuardedHalf>>, { patch }: JoinOptions): Joined {
  const [near, far] = [patch.client, patch.endpoint].map((end): Half => ({ devices: [], port: { end } }));
  if (!near || !far) throw new TypeError("a pair has two ends");
  const device: Veth = { kind: "veth", ends: [patch.client, patch.endpoint] };
  return {
    devices: [device],
    programs: [...join(client, near), ...join(endpoint, far)],
    sysctls: settings([near.port, far.port]),
    up: device.ends,
    workloads: [],
    shared: sharedBy(client, endpoint),
  };
}

/** The shared objects of all halves, each once. */
function sharedBy(...halves: readonly Half[]): KernelObject[] {
  const objects = halves.flatMap(({ shared = [] }) => shared);
  return [...new Map(objects.map((object) => [identityOf(object), object])).values()];
}

/** The programs that pass frames between the ports. A tunnel's program is on the other half's device. */
function join(a: GuardedHalf, b: GuardedHalf): Program[] {
  if ("tunnel" in b.port) return [tunnelOn(a, b.port, b.guard)];
  if ("tunnel" in a.port) return [tunnelOn(b, a.port, a.guard)];
  const [from, to]: [PortHalf, PortHalf] = [
    { ...a, port: a.port },
    { ...b, port: b.port },
  ];
  return [redirect(from, to), redirect(to, from)];
}

/** Redirecting straight to the far end of a veth pair works only into another namespace. */
function shortCut({ workload }: Half): { readonly mac?: string } {
  return workload && workload.link.netns !== HOST ? { mac: workload.link.mac } : {};
}

function tunnelOn(half: GuardedHalf, { tunnel }: TunnelPort, far: Guard | undefined): Program {
  const { port, guard } = half;
  if (!("end" in port) || port.index !== undefined) throw new TypeError("a tunnel is on a device of ours");
  return {
    kind: "program",
    netns: HOST,
    link: port.end.name,
    verdict: "encapsulate",
    tunnel: { ...tunnel, ...shortCut(half), ...(far && { guard: far }) },
    ...(guard && { guard }),
  };
}

/** Settings of the host's own ends. */
function settings(ports: readonly Port[]): Sysctl[] {
  return ports.flatMap((port) => ("end" in port && port.index === undefined ? withoutIpv6(port.end) : []));
}

/**
 * Redirects frames from the port of `from` to the port of `to`. Frames for the MAC at the far end take the short cut; for all
 * others the far end itself decides by the MAC.
 */
function redirect({ guard, port: from }: PortHalf, to: PortHalf): Program {
  const { end, index } = from;
  return {
    kind: "program",
    netns: HOST,
    link: end.name,
    verdict: "redirect",
    target: to.port.end.name,
    ...shortCut(to),
    ...(guard && { guard }),
    ...(index !== undefined && { index }),
  };
}
