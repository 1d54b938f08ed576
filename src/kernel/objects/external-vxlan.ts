import { VXLAN_PORT } from "./vxlan.ts";
import { type LinkEnd, linkKey } from "../link.ts";
import { type DeviceKind, nameClaim } from "../object-kind.ts";
import { inside } from "../phrase.ts";

/**
 * The shared VXLAN device of all tunnels of a host, in metadata mode: each packet carries the tunnel that it goes to or
 * came from. Its socket in `host` has the UDP port exclusively, and accepts IPv6 packets without a checksum (RFC 6935).
 * Equivalent to: `ip link add N type vxlan external dstport P nolearning udp6zerocsumrx`
 */
export interface ExternalVxlan extends LinkEnd {
  readonly kind: "external-vxlan";
  /** UDP port. */
  readonly port: number;
}

/** Decapsulated packets may be as large as a UDP packet can be. Bytes. */
export const EXTERNAL_MTU = 65_485;

export const externalVxlan = {
  isDevice: true,
  infoKind: "vxlan",
  usesSettings: true,
  ends: (device) => [device],
  withEnds: (device, [end]) => ({ ...device, ...end }),
  namespaces: ({ netns }) => [netns],
  identity: (device) => `external-vxlan ${linkKey(device.netns, device.name)} ${device.port}`,
  claims: (device) => [nameClaim(device), { key: `udp ${device.port}`, words: `UDP port ${device.port}` }],
  describe: ({ name, port, netns }) =>
    `external vxlan ${name}${port === VXLAN_PORT ? "" : ` on port ${port}`}${inside(netns)}`,
  script(tools, { verb, object }) {
    if (verb === "remove") return tools.removeDevice(object);
    if (verb === "change") return [];
    return tools.addDevice([object], {
      type: "vxlan",
      tail: ` external dstport ${object.port} nolearning udp6zerocsumrx`,
    });
  },
} as const satisfies DeviceKind<ExternalVxlan>;
