/** A tunnel to another host, as it is wanted: what becomes of it in the kernel is the kernel's own affair. */
import { inside } from "./phrase.ts";
import type { Guard } from "./guard.ts";
import type { OnLink } from "./link.ts";
import type { ScriptTools } from "./script-tools.ts";
import { comment } from "./shell.ts";

/**
 * What enters a device of the host leaves in outer headers, and what comes in those headers from the other end leaves by the
 * device. It is the intent alone: the headers, the way to the other end and its next hop are asked for with each packet. Nothing
 * comes out of it but what comes from (remote, local, port, VNI).
 *
 * Plain IP goes straight to the uplink; for all else (ARP, tags, fragments) the kernel's tunnel device builds the headers.
 */
export interface Tunnel {
  readonly vni: number;
  readonly local: string;
  readonly remote: string;
  /** UDP port of both sides. */
  readonly port: number;
  /**
   * The MAC at the far end of the pair, where that is in another namespace: its frames take the short cut into it. Others go
   * through the pair, which tells whom they are for. Absent: all do.
   */
  readonly mac?: string;
  /**
   * There is no shared device yet: what the fast path would leave to it is taken as far as it can be, packets with a UDP checksum
   * among them. For the moment in which another device still has the port.
   */
  readonly isAlone?: true;
  /** The other end takes no packet without a UDP checksum: each goes by the device, which writes one. */
  readonly needsChecksum?: true;
  /** What the other end may send. Absent: everything. */
  readonly guard?: Guard;
}

/** What stands in packets that come in: a host has one device for each. */
export function arrivalKey({ remote, local, port, vni }: Tunnel): string {
  return `${remote} ${local} ${port} ${vni}`;
}

export function describeTunnel({ vni, remote }: Tunnel, { netns, link }: OnLink): string {
  return `tunnel vni ${vni} to ${remote} on ${link}${inside(netns)}`;
}

/** By hand it is a device of its own, which two redirects join to the link. */
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
