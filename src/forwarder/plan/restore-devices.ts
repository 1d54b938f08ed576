/**
 * The way back to release 0.1.0: tunnels of the data path become a VXLAN device each, as that release has made them, so that its agent
 * takes them over. All of a host at once: the shared device and those of wires cannot have one UDP port. Pure.
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

/** With the number of tunnels; `undefined` where no wire has one. `objects`: all of ours in the host. */
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
  /** Programs that bear its tunnels. */
  readonly bearers: readonly Program[];
  readonly devices: readonly Device[];
  /** What is on them. */
  readonly rest: readonly KernelObject[];
  /** Programs that lead to the devices from now on, with what they are. */
  readonly led: readonly (readonly [to: Program, from: Program])[];
  /** Pairs of ours that release 0.1.0 has not between tunnels. */
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
    // What is behind the pair: another tunnel, or a port, whose program leads to the pair today.
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

/** As release 0.1.0 has made it: with the MAC of the workload, which the short cut into that wants. */
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
