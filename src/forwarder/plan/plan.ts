/** Plans the kernel objects of a wire. */
import type { KernelObject, LinkEnd } from "../../kernel/kernel.ts";
import type { Plan } from "../../kernel/plan.ts";
import { HOST, type Half } from "../../mechanisms/half.ts";
import { type Mechanism, typeOf } from "../../mechanisms/list.ts";
import { deviceName, halfAlias, PATCH } from "../../mechanisms/naming.ts";
import type { Side } from "../../mechanisms/side.ts";
import { derivedMac } from "../../net/mac.ts";
import { crossConnect, type Joined } from "./cross-connect.ts";
import { guardsOf } from "./guards.ts";
import { planIp } from "./plan-ip.ts";
import type { Wire } from "../wire.ts";
import { workloadMac } from "./workload-mac.ts";

/** MTU of a local wire if nobody asks for another, in bytes: the value that client programs expect of an interface. */
const LOCAL_MTU = 1500;

/** Pure. The wire must pass `validateWire`. */
export function plan(wire: Wire): Plan {
  const joined = crossConnect(halvesOf(wire), {
    patch: patchOf(wire),
    guards: guardsOf(wire),
    isGuarded: wire.guard === "always",
  });
  return {
    owner: wire.connectionId,
    objects: assemble(wire, joined),
    ...(joined.shared.length > 0 && { shared: joined.shared }),
  };
}

/** Whether the wire is one veth pair between two workloads of this host, without programs in between. */
export function isBarePair(wire: Wire): boolean {
  const { client, endpoint } = halvesOf(wire);
  return client.workload !== undefined && endpoint.workload !== undefined && wire.guard !== "always";
}

/** The objects that each side of the wire needs on this host. */
export function halvesOf(wire: Wire): Record<Side, Half> {
  const { connectionId } = wire;
  const mtuBytes = wireMtu(wire);
  const macs = { client: workloadMac(wire, "client"), endpoint: workloadMac(wire, "endpoint") };
  const half = (side: Side): Half =>
    typeOf(wire[side]).half(wire[side], { connectionId, side, mtuBytes, macs });
  return { client: half("client"), endpoint: half("endpoint") };
}

/** The ends of the pair between two halves that have no devices of their own. */
export function patchOf(wire: Wire): Record<Side, LinkEnd> {
  return patchEnds(wire.connectionId, wireMtu(wire));
}

export function patchEnds(connectionId: string, mtuBytes: number): Record<Side, LinkEnd> {
  const end = (side: Side): LinkEnd => ({
    netns: HOST,
    name: deviceName("nlp", [connectionId, side]),
    mac: derivedMac(["mac", connectionId, side, "patch"]),
    mtuBytes,
    alias: halfAlias(PATCH, connectionId, side),
  });
  return { client: end("client"), endpoint: end("endpoint") };
}

/** The smallest MTU that this host knows of, from the context and both mechanisms, in bytes. 1500 if none is given. */
export function wireMtu(wire: Wire): number {
  const asked = [wire.context.mtuBytes, mechanismMtu(wire.client), mechanismMtu(wire.endpoint)];
  return asked.reduce<number | undefined>(smaller, undefined) ?? LOCAL_MTU;
}

function mechanismMtu(mechanism: Mechanism): number | undefined {
  return typeOf(mechanism).mtuBytes(mechanism);
}

/** 0 means not set, as in NSM's messages. */
function smaller(a: number | undefined, b: number | undefined): number | undefined {
  return a && b ? Math.min(a, b) : a || b;
}

function assemble(wire: Wire, joined: Joined): KernelObject[] {
  const ip = joined.workloads.map(([side, workload]) => planIp(wire, side, workload));
  return [
    ...joined.devices,
    ...joined.programs,
    ...joined.sysctls,
    ...ip.flatMap((each) => each.sysctls),
    ...ip.flatMap((each) => each.addresses),
    ...joined.up.map(({ netns, name }): KernelObject => ({ kind: "up", netns, link: name })),
    ...ip.flatMap((each) => each.routes),
    ...ip.flatMap((each) => each.neighbors),
    ...ip.flatMap((each) => each.rules),
  ];
}
