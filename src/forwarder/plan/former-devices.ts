/**
 * Wires of release 0.1.0 have one VXLAN device each. Those devices share a UDP port, which the shared device of today's tunnels
 * needs for itself, so all wires of a host become data path tunnels at once. Pure.
 */
import type { KernelObject, LinkEnd, Operation, Program, Veth } from "../../kernel/kernel.ts";
import { type Device, endsOf, identityOf, linkKeys, ofKind } from "../../kernel/objects.ts";
import type { Half } from "../../mechanisms/half.ts";
import { readMechanism, REMOTE_TYPES, typeOf } from "../../mechanisms/list.ts";
import type { FoundTunnel } from "../../mechanisms/mechanism-type.ts";
import { readAlias } from "../../mechanisms/naming.ts";
import { otherSide, type Side } from "../../mechanisms/side.ts";
import { groupByOwner } from "../reconcile/owner.ts";
import { crossConnect } from "./cross-connect.ts";
import { patchEnds } from "./plan.ts";

/** The steps of a replacement, in this order; each list is one batch. */
export interface Replacement {
  /** Frames that enter a wire go into its tunnel, and the uplink's program takes arriving packets: plain IP keeps flowing. */
  readonly lead: readonly Operation[];
  /** Removes the wires' VXLAN devices; the last one frees the UDP port. Until then only plain IP gets through. */
  readonly remove: readonly Operation[];
  /** Sets up the shared device, which takes all other traffic. On the way back: adds the devices of the wires. */
  readonly complete: readonly Operation[];
  /** On the way back: leads frames that enter a wire into its device, which is up by now. */
  readonly turn?: readonly Operation[];
}

/** Returns `undefined` if no wire has such a device. `objects`: all Netloom objects in the host. */
export function replaceDevices(objects: readonly KernelObject[]): Replacement | undefined {
  const wires = [...groupByOwner(objects).owned].flatMap(([owner, own]) => tunnelsOf(owner, own) ?? []);
  if (wires.length === 0) return undefined;
  const there = new Set(objects.map(identityOf));
  const shared = new Map(wires.flatMap((wire) => wire.shared).map((each) => [identityOf(each), each]));
  const missing = [...shared.values()].filter((each) => !there.has(identityOf(each)));
  const isUp = (object: KernelObject): boolean => object.kind === "up";
  const add = (object: KernelObject): Operation => ({ verb: "add", object });
  const programs = wires.flatMap((wire) => wire.programs);
  const onNewPairs = wires.flatMap((wire) => wire.rest);
  return {
    lead: [
      ...missing.filter((each) => !isUp(each)).map(add),
      ...onNewPairs.filter((each) => !isUp(each)).map(add),
      ...programs.map(([program, from]): Operation =>
        from ? { verb: "change", object: alone(program), from } : { verb: "add", object: alone(program) },
      ),
      ...onNewPairs.filter(isUp).map(add),
    ],
    remove: wires.flatMap((wire) => wire.devices.map((object): Operation => ({ verb: "remove", object }))),
    complete: [
      ...missing.filter(isUp).map(add),
      ...programs
        .filter(([{ tunnel }]) => tunnel)
        .map(([program]): Operation => ({ verb: "change", object: program, from: alone(program) })),
    ],
  };
}

interface FormerWire {
  readonly devices: readonly Device[];
  readonly shared: readonly KernelObject[];
  /** Programs that carry the wire's tunnels, each with the program that its device has today. */
  readonly programs: readonly (readonly [Program, Program | undefined])[];
  /** A new veth pair that carries tunnels, with its settings. */
  readonly rest: readonly KernelObject[];
}

function tunnelsOf(owner: string, objects: readonly KernelObject[]): FormerWire | undefined {
  const found = REMOTE_TYPES.flatMap((type) => type.former(objects));
  if (found.length === 0) return undefined;
  const devices = found.map(([, device]) => device);
  const halves: Partial<Record<Side, Half>> = {};
  for (const [tunnel, each] of found)
    if (tunnel.side) halves[tunnel.side] = tunnelHalf(owner, tunnel.side, { tunnel, device: each });
  for (const pair of ofKind(objects, "veth")) {
    const end = pair.ends.find(({ alias }) => readAlias(alias)?.what === "veth");
    const side = end && readAlias(end.alias)?.side;
    if (side) halves[side] ??= workloadHalf(pair, end);
  }
  for (const { netns, link, index, target } of ofKind(objects, "program")) {
    const tunnel = found.find(([, device]) => endsOf(device).some(({ name }) => name === target))?.[0];
    if (index !== undefined && tunnel?.side)
      halves[otherSide(tunnel.side)] ??= { devices: [], port: { end: { netns, name: link }, index } };
  }
  const { client, endpoint } = halves;
  // The workload is gone: nothing can flow, but the VXLAN device still holds the port.
  if (!client || !endpoint) return { devices, shared: [], programs: [], rest: [] };
  const patch = patchEnds(owner, Math.min(...devices.flatMap(endsOf).map(({ mtuBytes }) => mtuBytes)));
  const joined = crossConnect({ client, endpoint }, { patch, guards: {}, isGuarded: false });
  const there = new Set(ofKind(objects, "veth").flatMap(linkKeys));
  const pairs = joined.devices.filter((pair) => !linkKeys(pair).some((key) => there.has(key)));
  const before = new Map(ofKind(objects, "program").map((program) => [identityOf(program), program]));
  const up = joined.up.map(({ netns, name }): KernelObject => ({ kind: "up", netns, link: name }));
  return {
    devices,
    shared: joined.shared,
    programs: joined.programs.map((program) => [program, before.get(identityOf(program))] as const),
    rest: pairs.length === 0 ? [] : [...pairs, ...joined.sysctls, ...up],
  };
}

function tunnelHalf(
  connectionId: string,
  side: Side,
  { tunnel: { type, parameters }, device }: { readonly tunnel: FoundTunnel; readonly device: Device },
): Half {
  const mechanism = readMechanism({ type, parameters });
  const { mtuBytes, mac } = endsOf(device)[0] ?? { mtuBytes: 0, mac: "" };
  return typeOf(mechanism).half(mechanism, {
    connectionId,
    side,
    mtuBytes,
    macs: { client: mac, endpoint: mac },
  });
}

function workloadHalf(pair: Veth, end: LinkEnd): Half {
  const link = pair.ends.find((each) => each !== end) ?? end;
  return { devices: [pair], port: { end }, workload: { link, trust: {} } };
}

/** The form of a program while there is no shared device. */
export function alone(program: Program): Program {
  return program.tunnel ? { ...program, tunnel: { ...program.tunnel, isAlone: true } } : program;
}
