import type { LabWire } from "./model.ts";

/** How people call the way of a wire: `veth on alpha`, `vxlan vni 4242 alpha→beta`. */
export function pathOf(wire: LabWire): string {
  const [from, to] = [wire.client.host, wire.endpoint.host];
  return from === to ? `veth on ${from}` : `vxlan vni ${wire.vni} ${from}→${to}`;
}
