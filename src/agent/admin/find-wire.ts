/** Finds the wire of this host that a name means. */
import type { Wire, WireEnd } from "../../api/gen/netloom/admin/v1/admin_pb.js";
import { NetloomError } from "../../errors/errors.ts";
import type { Side } from "../../mechanisms/side.ts";
import { toldWire } from "../../view/told-wire.ts";
import { wireNames } from "../../view/wire-names.ts";
import { placeName } from "../../view/wire-view.ts";
import type { AdminParts } from "./admin-parts.ts";
import { describeWires } from "./wires.ts";

/** An end of a wire on this host. */
export interface EndHere {
  readonly wire: Wire;
  readonly side: Side;
  readonly end: WireEnd;
  /** `alpha/web/to-db` */
  readonly name: string;
}

/** Finds a wire by its names, or by the name of its attachment. NOT_FOUND for none and for several; `attempt`: `ping`. */
export function findWire(parts: AdminParts, name: string, attempt: string): Wire {
  const wires = describeWires(parts);
  const found = named(wires, parts, name);
  if (found[0] && found.length === 1) return found[0];
  throw notOne(parts, wires, {
    what: `${attempt} wire ${name}`,
    isNone: found.length === 0,
    count: found.length,
  });
}

/**
 * For the name of a wire: its end on this host. If both ends are here and the name fits both, it is the client's. For the
 * name of a workload: the ends of all its wires. NOT_FOUND if there is neither, FAILED_PRECONDITION for a wire that only
 * passes this host.
 */
export function findEnds(parts: AdminParts, name: string, attempt: string): EndHere[] {
  const wires = describeWires(parts);
  const { host } = parts.world;
  const found = named(wires, parts, name);
  if (found[0] && found.length === 1) {
    const ends = endsOf(found[0], host);
    const meant = ends.find((each) => isOneOf(name, host, placeOf(each.end))) ?? ends[0];
    if (meant) return [meant];
    throw new NetloomError(
      "FAILED_PRECONDITION",
      `${attempt} wire ${name}: it only passes ${host}, and has no end there`,
      { hint: "run this command on the host of one of its ends" },
    );
  }
  const ofWorkload = wires.flatMap((wire) =>
    endsOf(wire, host)
      .filter(({ end }) => isOneOf(name, host, end.workload))
      .slice(0, 1),
  );
  if (found.length === 0 && ofWorkload.length > 0) return ofWorkload;
  const what = `${attempt} ${found.length === 0 ? "" : "wire "}${name}`;
  throw notOne(parts, wires, { what, isNone: found.length === 0, count: found.length });
}

function endsOf(wire: Wire, host: string): EndHere[] {
  const { clientEnd, endpointEnd } = wire;
  const end = (side: Side, its: WireEnd | undefined): EndHere[] =>
    its ? [{ wire, side, end: its, name: `${host}/${placeOf(its)}` }] : [];
  return [...end("client", clientEnd), ...end("endpoint", endpointEnd)];
}

function placeOf({ workload, netns, interface: device, isPort }: WireEnd): string {
  return placeName({ host: "", workload, netns, interface: device, ...(isPort && { isPort }) });
}

function isOneOf(name: string, host: string, place: string): boolean {
  return name === place || name === `${host}/${place}`;
}

function named(wires: readonly Wire[], parts: AdminParts, name: string): Wire[] {
  const names = namesOf(parts);
  return wires.filter((wire) => names(wire).includes(name));
}

function namesOf({ attachments, world }: AdminParts): (wire: Wire) => string[] {
  const asking = new Map(attachments.all().map((each) => [each.connectionId, each.spec.name]));
  return (wire) => [
    ...[asking.get(wire.id) ?? []].flat(),
    ...wireNames(toldWire([{ host: world.host, wire }])),
  ];
}

function notOne(
  parts: AdminParts,
  wires: readonly Wire[],
  { what, isNone, count }: { readonly what: string; readonly isNone: boolean; readonly count: number },
): NetloomError {
  const names = namesOf(parts);
  const known = wires.map((wire) => names(wire).at(-1) ?? wire.id);
  return new NetloomError(
    "NOT_FOUND",
    isNone ? `${what}: ${parts.world.host} has no such wire` : `${what}: ${count} wires have this name`,
    {
      topic: isNone ? "NL-203" : "NL-202",
      hint: known.length > 0 ? `its wires are ${known.slice(0, 10).join(", ")}` : "this host has no wires",
    },
  );
}
