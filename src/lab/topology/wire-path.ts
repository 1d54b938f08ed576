import { hopOf, type HopView } from "../../view/way.ts";
import type { LabWire } from "../file/model.ts";

/** The path of a wire from the lab file: one hop, between two hosts or inside of one. */
export function hopsOf({ client, endpoint, tunnel }: LabWire): HopView[] {
  const ends = { from: client.host, to: endpoint.host };
  if (!tunnel) return [hopOf({ ...ends, carriers: ["veth"] })];
  const { type, id } = tunnel;
  const identifier = { name: type.identifier.key, value: id };
  return [hopOf({ ...ends, carriers: [type.carrier], identifier })];
}
