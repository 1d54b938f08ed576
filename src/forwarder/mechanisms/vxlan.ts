/** VXLAN: a point-to-point device of its own in the host, whose frames are those of the workload's device. */
import { canonicalIp, familyOf } from "../../net/ip.ts";
import type { Vxlan } from "../../kernel/kernel.ts";
import { VXLAN_OVERHEAD_BYTES, VXLAN_PORT } from "../../kernel/objects/vxlan.ts";
import { tunnelAlias, tunnelName } from "../../mechanisms/naming.ts";
import { workloadMac } from "../workload-mac.ts";
import type { VxlanMechanism, Wire } from "../wire.ts";
import type { Side } from "../../mechanisms/side.ts";
import { HOST } from "./kernel.ts";

/** What fits into the tunnel: the underlay's MTU less 54 (IPv4) or 74 (IPv6), as upstream counts (4 for a VLAN tag). */
export function vxlanMtu(tunnel: VxlanMechanism): number {
  return tunnel.underlayMtuBytes - VXLAN_OVERHEAD_BYTES[vxlanFamily(tunnel)];
}

export function vxlanFamily(tunnel: VxlanMechanism): 4 | 6 {
  return familyOf(tunnel.sourceIp);
}

/**
 * The device for the half whose workload is on `side`. It has the MAC of the workload's device: a frame that the
 * `wire` program hands over keeps the packet type that the tunnel device gave it, and one "for another host" is dropped.
 */
export function vxlanDevice(wire: Wire, side: Side, tunnel: VxlanMechanism, mtuBytes: number): Vxlan {
  const [near, far] = [canonicalIp(tunnel.sourceIp), canonicalIp(tunnel.destinationIp)];
  const port = tunnel.port ?? VXLAN_PORT;
  const { vni } = tunnel;
  return {
    kind: "vxlan",
    netns: HOST,
    name: tunnelName(wire.connectionId, { side, vni, port, family: vxlanFamily(tunnel) }),
    mac: workloadMac(wire, side),
    mtuBytes,
    alias: tunnelAlias(wire.connectionId, side),
    vni,
    local: side === "client" ? near : far,
    remote: side === "client" ? far : near,
    port,
  };
}
