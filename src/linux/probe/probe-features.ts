/** The kernel features that Netloom probes: use, first version, and trial of each. */
import type { Feature, Use } from "./feature.ts";
import type { Trial } from "./probe-trials.ts";

export interface FeatureQuestion extends Omit<Feature, "supported" | "evidence" | "required"> {
  readonly trial: Trial;
}

type Need = Pick<Feature, "use" | "effect">;

/** Probed nevertheless, to show whether a host supports a future mode. */
const unused: Need = { use: "nothing yet", effect: "nothing is lost, netloom does not use it yet" };

function need(use: Use, effect: string): Need {
  return { use, effect };
}

function link(kind: string, since: string, option: string, wanted = unused, module = kind): FeatureQuestion {
  return { name: kind, since, ...wanted, remedy: kernelPart(option, module), trial: { type: "link", kind } };
}

function qdisc(kind: string, since: string, option: string, wanted = unused): FeatureQuestion {
  const remedy = kernelPart(option, `sch_${kind}`);
  return { name: kind, since, ...wanted, remedy, trial: { type: "qdisc", kind } };
}

function kernelPart(option: string, module: string): string {
  return `modprobe ${module}, or boot a kernel with ${option}`;
}

function upgrade(version: string, option?: string): string {
  return `boot Linux ${version} or newer${option === undefined ? "" : ` with ${option}`}`;
}

export const FEATURES: readonly FeatureQuestion[] = [
  link("veth", "2.6.24", "CONFIG_VETH", need("every wire", "no wires at all")),
  {
    name: "SO_NETNS_COOKIE",
    since: "5.14",
    ...need("every wire", "a namespace cannot be told from a later one with the same inode"),
    remedy: upgrade("5.14"),
    trial: { type: "netns-cookie" },
  },
  {
    name: "protocol numbers of addresses",
    since: "5.18",
    ...need("every wire", "addresses of ours cannot be told from those of others"),
    remedy: upgrade("5.18"),
    trial: { type: "address-protocol" },
  },
  {
    name: "netlink strict checks",
    since: "4.20",
    ...need("every wire", "the kernel answers with more than it was asked for"),
    remedy: upgrade("4.20"),
    trial: { type: "netlink-option", option: "strict" },
  },
  {
    name: "netlink extended acknowledgements",
    since: "4.12",
    ...need("every wire", "errors of the kernel without their reason"),
    remedy: upgrade("4.12"),
    trial: { type: "netlink-option", option: "extended" },
  },
  // Since 3.7, but `df set` only since 4.20.
  link("vxlan", "4.20", "CONFIG_VXLAN", need("remote wires", "no wires between hosts")),
  {
    name: "ingress blocks with a BPF filter",
    since: "4.16",
    ...need("remote wires", "no wires between hosts"),
    remedy: kernelPart("CONFIG_NET_SCH_INGRESS and CONFIG_NET_CLS_BPF", "sch_ingress cls_bpf"),
    trial: { type: "ingress-block" },
  },
  {
    name: "programs of the datapath (bpf_redirect_peer, bpf_map_lookup_percpu_elem)",
    since: "5.19",
    ...need("remote wires", "no wires between hosts"),
    remedy: upgrade("5.19", "CONFIG_BPF_SYSCALL"),
    trial: { type: "datapath" },
  },
  {
    name: "tcx links",
    since: "6.6",
    ...need("ports", "no device that is there already as a workload"),
    remedy: upgrade("6.6", "CONFIG_NET_XGRESS and CONFIG_BPF_SYSCALL"),
    trial: { type: "tcx" },
  },
  {
    name: "new names of devices that are up",
    since: "6.2",
    ...need(
      "debugging",
      "a device that somebody has renamed gets its name back when it is down, and not before",
    ),
    remedy: upgrade("6.2"),
    trial: { type: "live-rename" },
  },
  {
    name: "BTF",
    since: "5.2",
    ...need("debugging", "programs without names of types in bpftool"),
    remedy: "boot a kernel with CONFIG_DEBUG_INFO_BTF",
    trial: { type: "btf" },
  },
  qdisc("tbf", "2.4", "CONFIG_NET_SCH_TBF", need("cables of a lab", "no rate on the links of a lab")),
  qdisc(
    "netem",
    "2.6",
    "CONFIG_NET_SCH_NETEM",
    need("cables of a lab", "no delay and loss on the links of a lab"),
  ),
  link("bridge", "2.6", "CONFIG_BRIDGE"),
  link("macvlan", "2.6.23", "CONFIG_MACVLAN"),
  {
    name: "tap",
    since: "2.4",
    ...unused,
    remedy: kernelPart("CONFIG_TUN", "tun"),
    trial: { type: "tap" },
  },
  link("vlan", "2.6", "CONFIG_VLAN_8021Q", unused, "8021q"),
  link("vrf", "4.3", "CONFIG_NET_VRF"),
  link("wireguard", "5.6", "CONFIG_WIREGUARD"),
  link("geneve", "3.18", "CONFIG_GENEVE"),
  link("gretap", "2.6.28", "CONFIG_NET_IPGRE", unused, "ip_gre"),
  link("ipvlan", "3.19", "CONFIG_IPVLAN"),
  link("dummy", "2.4", "CONFIG_DUMMY"),
  link("netkit", "6.7", "CONFIG_NETKIT"),
  {
    name: "vxlan vnifilter",
    since: "5.18",
    ...unused,
    remedy: upgrade("5.18", "CONFIG_VXLAN"),
    trial: { type: "vxlan-vnifilter" },
  },
  {
    name: "vxlan localbypass",
    since: "6.5",
    ...unused,
    remedy: upgrade("6.5", "CONFIG_VXLAN"),
    trial: { type: "vxlan-localbypass" },
  },
  qdisc("htb", "2.4", "CONFIG_NET_SCH_HTB"),
  qdisc("fq", "3.12", "CONFIG_NET_SCH_FQ"),
  {
    ...qdisc("clsact", "4.5", "CONFIG_NET_SCH_INGRESS"),
    remedy: kernelPart("CONFIG_NET_SCH_INGRESS", "sch_ingress"),
  },
  {
    name: "bpf netfilter links",
    since: "6.4",
    ...unused,
    remedy: upgrade("6.4", "CONFIG_NETFILTER_BPF_LINK"),
    trial: { type: "netfilter", defrag: false },
  },
  {
    name: "bpf netfilter defragmentation",
    since: "6.6",
    ...unused,
    remedy: upgrade("6.6", "CONFIG_NETFILTER_BPF_LINK and CONFIG_NF_DEFRAG_IPV6"),
    trial: { type: "netfilter", defrag: true },
  },
  {
    name: "nf_tables",
    since: "3.13",
    ...unused,
    remedy: kernelPart("CONFIG_NF_TABLES", "nf_tables"),
    trial: { type: "nf-tables" },
  },
  {
    name: "SRv6 encapsulation",
    since: "4.10",
    ...unused,
    remedy: "boot a kernel with CONFIG_IPV6_SEG6_LWTUNNEL",
    trial: { type: "route", encapsulation: "seg6" },
  },
  {
    name: "seg6local",
    since: "4.14",
    ...unused,
    remedy: "boot a kernel with CONFIG_IPV6_SEG6_LWTUNNEL",
    trial: { type: "route", encapsulation: "seg6local" },
  },
];
