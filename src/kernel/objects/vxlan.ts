import { familyOf } from "../../net/ip.ts";
import { type LinkEnd, linkKey } from "../link.ts";
import { type DeviceKind, nameClaim } from "../object-kind.ts";
import { inside } from "../phrase.ts";
import { quote } from "../shell.ts";

/**
 * A point-to-point VXLAN device: learning off, DF set, socket in the namespace `host`.
 * Equivalent to: `ip link add N type vxlan id VNI local L remote R dstport P nolearning df set udp6zerocsumrx`
 */
export interface Vxlan extends LinkEnd {
  readonly kind: "vxlan";
  readonly vni: number;
  readonly local: string;
  readonly remote: string;
  /** UDP port of both sides. */
  readonly port: number;
}

/** Default UDP port of VXLAN (RFC 7348 section 8). */
export const VXLAN_PORT = 4789;

/** VNIs have 24 bits (RFC 7348 section 5); 0 is not used. */
export const MIN_VNI = 1;
export const MAX_VNI = 2 ** 24 - 1;

/**
 * The encapsulation overhead in bytes, by family of the underlay: outer IP, UDP, VXLAN and inner Ethernet headers, 50 and
 * 70, and 4 for a VLAN tag, as upstream counts.
 */
export const VXLAN_OVERHEAD_BYTES = { 4: 54, 6: 74 } as const;

export const vxlan = {
  isDevice: true,
  infoKind: "vxlan",
  usesSettings: true,
  ends: (device) => [device],
  withEnds: (device, [end]) => ({ ...device, ...end }),
  // The socket of the device is in `host`.
  namespaces: ({ netns }) => [netns, "host"],
  identity: (device) => `vxlan ${linkKey(device.netns, device.name)} ${tunnelKey(device)}`,
  claims: (device) => [nameClaim(device), { key: `vni ${tunnelKey(device)}`, words: `VNI ${device.vni}` }],
  describe: ({ name, vni, netns }) => `vxlan ${name} vni ${vni}${inside(netns)}`,
  script(tools, step) {
    const { object } = step;
    if (step.verb === "remove") return tools.removeDevice(object);
    const { vni, local, remote, port } = object;
    if (step.verb === "add") {
      const tail = ` id ${vni} local ${quote(local)} remote ${quote(remote)} dstport ${port} nolearning df set udp6zerocsumrx`;
      return tools.addDevice([object], { type: "vxlan", tail });
    }
    const lines = tools.changeEnds([object], [step.from]);
    if (local === step.from.local && remote === step.from.remote) return lines;
    return [...lines, tools.set(object, "type", "vxlan", "local", local, "remote", remote)];
  },
} as const satisfies DeviceKind<Vxlan>;

/** The key of a VNI, which is unique in a host for each UDP port and address family, whatever the remote. */
export function tunnelKey({ vni, port, local }: Pick<Vxlan, "vni" | "port" | "local">): string {
  return `${vni} ${port} ${familyOf(local)}`;
}
