/** The features that netloom asks about, why, since when they exist, and how each is tried. */
import type { Feature } from "./probe.ts";
import type { Trial } from "./probe-trials.ts";

export interface FeatureQuestion extends Omit<Feature, "supported" | "evidence" | "required"> {
  readonly required?: true;
  readonly trial: Trial;
}

function link(kind: string, since: string, effect: string, option: string, module = kind): FeatureQuestion {
  return { name: kind, since, effect, remedy: kernelPart(option, module), trial: { type: "link", kind } };
}

function qdisc(kind: string, since: string, effect: string, option: string): FeatureQuestion {
  return {
    name: kind,
    since,
    effect,
    remedy: kernelPart(option, `sch_${kind}`),
    trial: { type: "qdisc", kind },
  };
}

function kernelPart(option: string, module: string): string {
  return `modprobe ${module}, or boot a kernel with ${option}`;
}

function upgrade(version: string, option?: string): string {
  return `boot Linux ${version} or newer${option === undefined ? "" : ` with ${option}`}`;
}

export const FEATURES: readonly FeatureQuestion[] = [
  { ...link("veth", "2.6.24", "no wires at all", "CONFIG_VETH"), required: true },
  { ...link("vxlan", "3.7", "no wires between hosts", "CONFIG_VXLAN"), required: true },
  link("bridge", "2.6", "no routers and switches in a lab", "CONFIG_BRIDGE"),
  link("macvlan", "2.6.23", "no attachment to a physical network by macvlan", "CONFIG_MACVLAN"),
  {
    name: "tap",
    since: "2.4",
    effect: "no wires to virtual machines",
    remedy: kernelPart("CONFIG_TUN", "tun"),
    trial: { type: "tap" },
  },
  link("vlan", "2.6", "no VLAN mechanism", "CONFIG_VLAN_8021Q", "8021q"),
  link("vrf", "4.3", "routing domains only as namespaces", "CONFIG_NET_VRF"),
  link("wireguard", "5.6", "no encryption in the kernel", "CONFIG_WIREGUARD"),
  link("geneve", "3.18", "no Geneve devices", "CONFIG_GENEVE"),
  link("gretap", "2.6.28", "no GRE devices", "CONFIG_NET_IPGRE", "ip_gre"),
  link("ipvlan", "3.19", "no attachment to a physical network by ipvlan", "CONFIG_IPVLAN"),
  link("dummy", "2.4", "no dummy devices in a lab", "CONFIG_DUMMY"),
  link("netkit", "6.7", "veth is used instead", "CONFIG_NETKIT"),
  {
    name: "vxlan vnifilter",
    since: "5.18",
    effect: "one VXLAN device per segment, instead of one for many",
    remedy: upgrade("5.18", "CONFIG_VXLAN"),
    trial: { type: "vxlan-vnifilter" },
  },
  {
    name: "vxlan localbypass",
    since: "6.5",
    effect: "frames to a VTEP of the same host cannot be kept on the wire",
    remedy: upgrade("6.5", "CONFIG_VXLAN"),
    trial: { type: "vxlan-localbypass" },
  },
  qdisc("htb", "2.4", "no shares of a rate", "CONFIG_NET_SCH_HTB"),
  qdisc("tbf", "2.4", "no rate on the links of a lab", "CONFIG_NET_SCH_TBF"),
  qdisc("netem", "2.6", "no delay and loss on the links of a lab", "CONFIG_NET_SCH_NETEM"),
  qdisc("fq", "3.12", "no pacing", "CONFIG_NET_SCH_FQ"),
  {
    ...qdisc("clsact", "4.5", "no classic tc programs", "CONFIG_NET_SCH_INGRESS"),
    remedy: kernelPart("CONFIG_NET_SCH_INGRESS", "sch_ingress"),
  },
  {
    name: "tcx links",
    since: "6.6",
    required: true,
    effect: "no wires between hosts, no counters",
    remedy: upgrade("6.6", "CONFIG_NET_XGRESS and CONFIG_BPF_SYSCALL"),
    trial: { type: "tcx" },
  },
  {
    name: "bpf_redirect_peer",
    since: "5.10",
    required: true,
    effect: "no wires between hosts",
    remedy: upgrade("5.10", "CONFIG_BPF_SYSCALL"),
    trial: { type: "redirect-peer" },
  },
  {
    name: "bpf netfilter links",
    since: "6.4",
    effect: "tunnels are closed by a tc program on each uplink",
    remedy: upgrade("6.4", "CONFIG_NETFILTER_BPF_LINK"),
    trial: { type: "netfilter", defrag: false },
  },
  {
    name: "bpf netfilter defragmentation",
    since: "6.6",
    effect: "IPv6 fragments to a tunnel are dropped",
    remedy: upgrade("6.6", "CONFIG_NETFILTER_BPF_LINK and CONFIG_NF_DEFRAG_IPV6"),
    trial: { type: "netfilter", defrag: true },
  },
  {
    name: "BTF",
    since: "5.2",
    effect: "no netfilter links, and programs without names of types in bpftool",
    remedy: "boot a kernel with CONFIG_DEBUG_INFO_BTF",
    trial: { type: "btf" },
  },
  {
    name: "nf_tables",
    since: "3.13",
    effect: "no rules of nftables",
    remedy: kernelPart("CONFIG_NF_TABLES", "nf_tables"),
    trial: { type: "nf-tables" },
  },
  {
    name: "SRv6 encapsulation",
    since: "4.10",
    effect: "no SRv6 paths",
    remedy: "boot a kernel with CONFIG_IPV6_SEG6_LWTUNNEL",
    trial: { type: "route", encapsulation: "seg6" },
  },
  {
    name: "seg6local",
    since: "4.14",
    effect: "no SRv6 endpoints",
    remedy: "boot a kernel with CONFIG_IPV6_SEG6_LWTUNNEL",
    trial: { type: "route", encapsulation: "seg6local" },
  },
  {
    name: "SO_NETNS_COOKIE",
    since: "5.14",
    required: true,
    effect: "a namespace cannot be told from a later one with the same inode",
    remedy: upgrade("5.14"),
    trial: { type: "netns-cookie" },
  },
  {
    name: "netlink strict checks",
    since: "4.20",
    required: true,
    effect: "the kernel answers with more than it was asked for",
    remedy: upgrade("4.20"),
    trial: { type: "netlink-option", option: "strict" },
  },
  {
    name: "netlink extended acknowledgements",
    since: "4.12",
    required: true,
    effect: "errors of the kernel without their reason",
    remedy: upgrade("4.12"),
    trial: { type: "netlink-option", option: "extended" },
  },
];
