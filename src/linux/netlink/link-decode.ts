/** Devices as the kernel reports them. Source: include/uapi/linux/if_link.h */
import * as k from "./constants.ts";
import { type Attributes, type NetlinkMessage, present, readAttributes, Struct } from "./message-reader.ts";

export interface Link {
  readonly index: number;
  readonly name: string;
  /** ARPHRD_*; absent for Ethernet. */
  readonly hardware?: number;
  /** Absent on a device without a 6-byte address. */
  readonly mac?: string;
  readonly mtuBytes: number;
  /** The IPv6 MTU, if it differs (`net.ipv6.conf.N.mtu`). */
  readonly ipv6MtuBytes?: number;
  /** IFF_* */
  readonly flags: number;
  readonly group: number;
  readonly alias?: string;
  /** `veth`, `vxlan`, `bridge`, …; absent on hardware and loopback. */
  readonly kind?: string;
  /** Index of the bridge that has this device as a port. */
  readonly master?: number;
  /** Index of the other end of a veth, in the namespace `linkNetnsid` or, if that is absent, in this one. */
  readonly lowerIndex?: number;
  /** Number of the namespace of the other end or of the underlay, in this namespace. */
  readonly linkNetnsid?: number;
  /** IN6_ADDR_GEN_MODE_*; absent if the device has no IPv6. */
  readonly addrGenMode?: number;
  /** IPv6 is disabled on the device. */
  readonly isIpv6Off?: true;
  /** RFC 2863: 6 is up, 2 is down. */
  readonly operstate?: number;
  readonly vxlan?: VxlanData;
  readonly stats?: LinkStats;
}

interface VxlanData {
  readonly vni: number;
  readonly local?: string;
  /** The default destination; absent if there is none. */
  readonly remote?: string;
  readonly port: number;
  readonly learning: boolean;
  /** VXLAN_DF_* */
  readonly df: number;
  /** 0: the system's default. */
  readonly ttl: number;
  /** The device is in metadata mode. */
  readonly isExternal?: true;
}

/** Counters since the device was made. `struct rtnl_link_stats64` */
interface LinkStats {
  readonly rxPackets: number;
  readonly txPackets: number;
  readonly rxBytes: number;
  readonly txBytes: number;
  readonly rxErrors: number;
  readonly txErrors: number;
  readonly rxDropped: number;
  readonly txDropped: number;
}

/** Reads RTM_NEWLINK and RTM_DELLINK. Throws DecodeError. */
export function decodeLink(message: NetlinkMessage): Link {
  const header = new Struct("link", message.body, 16);
  const attributes = readAttributes("link", message.body, 16);
  const hardware = header.u16(2);
  const info = attributes.nested(k.IFLA_LINKINFO);
  const kind = info?.string(k.IFLA_INFO_KIND);
  const data = kind === "vxlan" ? info?.nested(k.IFLA_INFO_DATA) : undefined;
  const stats = attributes.struct(k.IFLA_STATS64, 64);
  // In a message about a bridge port (AF_BRIDGE) this attribute has other content.
  const families = header.u8(0) === k.AF_UNSPEC ? attributes.nested(k.IFLA_AF_SPEC) : undefined;
  const ipv6 = families?.nested(k.AF_INET6);
  const mtuBytes = attributes.u32(k.IFLA_MTU) ?? 0;
  // An array of `s32`, indexed by DEVCONF_*.
  const settings = ipv6?.struct(k.IFLA_INET6_CONF, 4 * (k.DEVCONF_DISABLE_IPV6 + 1));
  const ipv6MtuBytes = settings?.u32(4 * k.DEVCONF_MTU6);
  return {
    index: header.i32(4),
    name: attributes.string(k.IFLA_IFNAME) ?? "",
    ...(hardware !== k.ARPHRD_ETHER && { hardware }),
    ...present("mac", attributes.mac(k.IFLA_ADDRESS)),
    mtuBytes,
    ...present("ipv6MtuBytes", ipv6MtuBytes === mtuBytes ? undefined : ipv6MtuBytes),
    flags: header.u32(8),
    group: attributes.u32(k.IFLA_GROUP) ?? 0,
    ...present("alias", attributes.string(k.IFLA_IFALIAS)),
    ...present("kind", kind),
    ...present("master", attributes.u32(k.IFLA_MASTER)),
    ...present("lowerIndex", attributes.u32(k.IFLA_LINK)),
    ...present("linkNetnsid", attributes.i32(k.IFLA_LINK_NETNSID)),
    ...present("addrGenMode", ipv6?.u8(k.IFLA_INET6_ADDR_GEN_MODE)),
    ...present(
      "isIpv6Off",
      (settings?.u32(4 * k.DEVCONF_DISABLE_IPV6) ?? 0) === 0 ? undefined : (true as const),
    ),
    ...present("operstate", attributes.u8(k.IFLA_OPERSTATE)),
    ...present("vxlan", data && vxlanData(data)),
    ...present("stats", stats && linkStats(stats)),
  };
}

function vxlanData(data: Attributes): VxlanData {
  return {
    vni: data.u32(k.IFLA_VXLAN_ID) ?? 0,
    ...present("local", data.ip(k.IFLA_VXLAN_LOCAL) ?? data.ip(k.IFLA_VXLAN_LOCAL6)),
    ...present("remote", data.ip(k.IFLA_VXLAN_GROUP) ?? data.ip(k.IFLA_VXLAN_GROUP6)),
    port: data.be16(k.IFLA_VXLAN_PORT) ?? 0,
    learning: data.u8(k.IFLA_VXLAN_LEARNING) === 1,
    df: data.u8(k.IFLA_VXLAN_DF) ?? 0,
    ttl: data.u8(k.IFLA_VXLAN_TTL) ?? 0,
    ...present("isExternal", data.u8(k.IFLA_VXLAN_COLLECT_METADATA) ? (true as const) : undefined),
  };
}

function linkStats(stats: Struct): LinkStats {
  return {
    rxPackets: stats.u64(0),
    txPackets: stats.u64(8),
    rxBytes: stats.u64(16),
    txBytes: stats.u64(24),
    rxErrors: stats.u64(32),
    txErrors: stats.u64(40),
    rxDropped: stats.u64(48),
    txDropped: stats.u64(56),
  };
}
