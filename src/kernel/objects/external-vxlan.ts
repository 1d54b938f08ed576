import { VXLAN_PORT } from "./vxlan.ts";
import { type LinkEnd, linkKey } from "../link.ts";
import { type DeviceKind, nameClaim } from "../object-kind.ts";
import { inside } from "../phrase.ts";

/**
 * The device that all tunnels of a host share, in metadata mode: each packet says to it where it goes, and it says of each where
 * it came from. Its socket in `host` has the UDP port for itself, and takes IPv6 packets without a checksum (RFC 6935).
 * Equivalent to: `ip link add N type vxlan external dstport P nolearning udp6zerocsumrx`
 */
export interface ExternalVxlan extends LinkEnd {
  readonly kind: "external-vxlan";
  /** UDP port. */
  readonly port: number;
}

/** What comes out of it is as large as a UDP packet can be. */
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
