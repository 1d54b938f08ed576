/** The wanted state of a tunnel to another host. Its kernel objects are up to the implementation of `Kernel`. */
import { inside } from "./phrase.ts";
import type { Guard } from "./guard.ts";
import type { OnLink } from "./link.ts";
import type { ScriptTools } from "./script-tools.ts";
import { comment } from "./shell.ts";

/**
 * Frames that enter a device of the host leave in outer headers, and packets in these headers from the other end come out
 * of the device. The route to the other end and its next hop are looked up for each packet. Only packets from (remote,
 * local, port, VNI) come out of the tunnel.
 *
 * Plain IP goes straight to the uplink. For all other traffic (ARP, VLAN tags, fragments) the kernel's tunnel device builds
 * the headers.
 */
export interface Tunnel {
  readonly vni: number;
  readonly local: string;
  readonly remote: string;
  /** UDP port of both sides. */
  readonly port: number;
  /**
   * The MAC at the far end of the pair, if that end is in another namespace. Frames to this MAC go straight to the far end;
   * other frames go through the pair, so that the kernel classifies their destination. Absent: all frames go through the
   * pair.
   */
  readonly mac?: string;
  /**
   * The shared device does not exist yet, because another device still has the port for a moment. The fast path handles as
   * much as it can of the traffic for the shared device, including packets with a UDP checksum.
   */
  readonly isAlone?: true;
  /** The other end drops packets without a UDP checksum: every packet goes by the shared device, which writes one. */
  readonly needsChecksum?: true;
  /** The traffic that the other end may send. Absent: everything. */
  readonly guard?: Guard;
}

/** The key of arriving packets: a host has one device for each. */
export function arrivalKey({ remote, local, port, vni }: Tunnel): string {
  return `${remote} ${local} ${port} ${vni}`;
}

export function describeTunnel({ vni, remote }: Tunnel, { netns, link }: OnLink): string {
  return `tunnel vni ${vni} to ${remote} on ${link}${inside(netns)}`;
}

/** Without Netloom's programs a tunnel is a VXLAN device of its own, joined to the link by two redirects. */
export function tunnelScript(
  tools: ScriptTools,
  {
    on,
    tunnel,
    from,
  }: { readonly on: OnLink; readonly tunnel?: Tunnel | undefined; readonly from?: Tunnel | undefined },
): readonly string[] {
  const { netns, link } = on;
  const device = `nlx${link.slice(3)}`;
  const remove = [
    tools.ip(netns, "link", "del", "dev", device),
    tools.tc(netns, "qdisc", "del", "dev", link, "clsact"),
  ];
  if (!tunnel) return from ? remove : [];
  const { vni, local, remote, port } = tunnel;
  const ends = ["id", vni, "local", local, "remote", remote, "dstport", port];
  return [
    comment(`add ${describeTunnel(tunnel, on)} (eBPF; by hand a device of its own does the same, slower)`),
    ...(from ? remove : []),
    tools.ip(netns, "link", "add", device, "type", "vxlan", ...ends, "nolearning", "udp6zerocsumrx"),
    tools.ip(netns, "link", "set", "dev", device, "up"),
    ...tools.redirect(on, device),
    ...tools.redirect({ netns, link: device }, link),
  ];
}
