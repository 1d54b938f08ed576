/**
 * The way back to release 0.1.0: turns tunnels of the data path into VXLAN devices as that release makes them, so that its agent
 * can take them over. All tunnels of a host at once: the shared device and devices of wires cannot use one UDP port together.
 * Pure.
 */
import type { KernelObject, LinkEnd, Operation, Program } from "../../kernel/kernel.ts";
import { type Device, endsOf, isDevice, ofKind } from "../../kernel/objects.ts";
import type { Tunnel } from "../../kernel/tunnel.ts";
import { HOST } from "../../mechanisms/half.ts";
import { REMOTE_TYPES } from "../../mechanisms/list.ts";
import { PATCH, readAlias, sideBeside } from "../../mechanisms/naming.ts";
import { otherSide } from "../../mechanisms/side.ts";
import { derivedMac } from "../../net/mac.ts";
import { groupByOwner } from "../reconcile/owner.ts";
import { alone, type Replacement } from "./former-devices.ts";
import { withoutIpv6 } from "./plan-settings.ts";

/**
 * Returns the replacement with the number of tunnels; `undefined` if no wire has one. `objects`: all Netloom objects in the host.
 */
export function restoreDevices(
  objects: readonly KernelObject[],
): (Replacement & { readonly tunnels: number }) | undefined {
  const { owned, host } = groupByOwner(objects);
  const wires = [...owned].flatMap(([owner, own]) => devicesOf(owner, own) ?? []);
  if (wires.length === 0) return undefined;
  const add = (object: KernelObject): Operation => ({ verb: "add", object });
  const standIns = REMOTE_TYPES.flatMap((type) => type.standIns(host));
  const bearers = wires.flatMap((wire) => wire.bearers);
  return {
    tunnels: bearers.length,
    lead: [
      ...bearers.map((from): Operation => ({ verb: "change", object: alone(from), from })),
      ...standIns.map(add),
    ],
    remove: host.filter(isDevice).map((object): Operation => ({ verb: "remove", object })),
    complete: [
      ...wires.flatMap(({ devices }) => devices).map(add),
      ...wires.flatMap(({ rest }) => rest).map(add),
    ],
    turn: [
      ...wires
        .flatMap(({ led }) => led)
        .map(([object, from]): Operation => ({ verb: "change", object, from })),
      ...[...wires.flatMap(({ pairs }) => pairs), ...standIns.filter(isDevice)].map((object): Operation => ({
        verb: "remove",
        object,
      })),
    ],
  };
}

interface RestoredWire {
  /** Programs that carry the wire's tunnels. */
  readonly bearers: readonly Program[];
  readonly devices: readonly Device[];
  /** Objects on these devices, with their programs. */
  readonly rest: readonly KernelObject[];
  /** Programs that lead to the devices from now on, each with its present form. */
  readonly led: readonly (readonly [to: Program, from: Program])[];
  /** Netloom's pairs between tunnels or ports, which release 0.1.0 does not have. */
  readonly pairs: readonly Device[];
}

function devicesOf(owner: string, objects: readonly KernelObject[]): RestoredWire | undefined {
  const programs = ofKind(objects, "program");
  const bearers = programs.filter(({ tunnel }) => tunnel);
  if (bearers.length === 0) return undefined;
  const pairs = ofKind(objects, "veth");
  const ends = pairs.flatMap(endsOf);
  const made = bearers.flatMap((bearer) => {
    const end = ends.find(({ netns, name }) => netns === HOST && name === bearer.link);
    const device = end && bearer.tunnel && deviceFor(owner, { end, tunnel: bearer.tunnel });
    return device ? [{ bearer, end, device }] : [];
  });
  const patch = pairs.filter((pair) => endsOf(pair).every(({ alias }) => readAlias(alias)?.what === PATCH));
  const isPatch = (name: string): boolean =>
    patch.some((pair) => endsOf(pair).some((end) => end.name === name));
  const [first, second] = made;
  const led: (readonly [Program, Program])[] = [];
  const rest: KernelObject[] = [];
  for (const { bearer, end, device } of made) {
    const name = endsOf(device)[0]?.name ?? "";
    const other = (first?.device === device ? second : first)?.device;
    const port = programs.find(({ index }) => index !== undefined);
    if (!isPatch(end.name)) led.push([redirect(end.name, name), bearer]);
    // Behind the pair is another tunnel, or a port whose program leads to the pair today.
    else if (!other && port) led.push([{ ...redirect(port.link, name), index: port.index ?? 0 }, port]);
    const target = isPatch(end.name)
      ? other
        ? (endsOf(other)[0]?.name ?? "")
        : (port?.link ?? "")
      : end.name;
    rest.push(
      ...endsOf(device).flatMap(withoutIpv6),
      redirect(name, target, bearer.tunnel?.mac === undefined ? "redirect" : "redirect-peer"),
      { kind: "up", netns: HOST, link: name },
    );
  }
  return { bearers, devices: made.map(({ device }) => device), rest, led, pairs: patch };
}

/** The device as release 0.1.0 makes it: with the MAC of the workload, which the short cut into the workload needs. */
function deviceFor(
  owner: string,
  { end, tunnel }: { readonly end: LinkEnd; readonly tunnel: Tunnel },
): Device | undefined {
  const read = readAlias(end.alias);
  const [type] = REMOTE_TYPES;
  if (!read || !type) return undefined;
  const side = sideBeside(read);
  const mac = tunnel.mac ?? derivedMac(["mac", owner, otherSide(side)]);
  return type.formerDevice(tunnel, { connectionId: owner, side, mac, mtuBytes: end.mtuBytes });
}

function redirect(link: string, target: string, verdict: "redirect" | "redirect-peer" = "redirect"): Program {
  return { kind: "program", netns: HOST, link, verdict, target };
}
