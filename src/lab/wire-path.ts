import type { LabWire } from "./model.ts";

/** How people call the way of a wire: `veth on alpha`, `vxlan vni 4242 alpha→beta`. */
export function pathOf({ client, endpoint, tunnel }: LabWire): string {
  const [from, to] = [client.host, endpoint.host];
  if (!tunnel) return `veth on ${from}`;
  const { type, id } = tunnel;
  return `${type.document} ${type.identifier.key} ${id} ${from}→${to}`;
}
