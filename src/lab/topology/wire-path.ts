import { type HopView, hopWords } from "../../view/way.ts";
import type { LabWire } from "../file/model.ts";

/** The tunnel of a wire between hosts, as the file has it. */
export function hopsOf({ client, endpoint, tunnel }: LabWire): HopView[] {
  if (!tunnel) return [];
  const { type, id } = tunnel;
  const words = `${type.document} ${type.identifier.key} ${id}`;
  return [{ from: client.host, to: endpoint.host, words }];
}

/** `veth on alpha`, `vxlan vni 4242 alpha→beta` */
export function labWireWords(wire: LabWire): string {
  return hopWords(hopsOf(wire)) || `veth on ${wire.client.host}`;
}
