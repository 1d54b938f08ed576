/**
 * A BPF filter at the ingress of a foreign device, for kernels without tcx links (before Linux 6.6). It stays while no
 * process of Netloom runs, and coexists with other filters: the verdict "next" passes a packet on to them.
 * Source: include/uapi/linux/pkt_cls.h, pkt_sched.h, net/sched/cls_bpf.c
 */
import * as k from "./constants.ts";
import { tcmsg } from "./ingress-block.ts";
import { change, dump, type MessageWriter } from "./message-writer.ts";

/** Before the priorities that people and programs usually choose. Of filters with equal priority the newest runs first. */
const PRIORITY = 1;
/** Identifies Netloom's filter among those of this priority. */
const HANDLE = 0x4e4c;

/** Equivalent to: `tc qdisc add dev L clsact`. EEXIST if the device has one, or an ingress qdisc, which serves as well. */
export function addClsact(linkIndex: number): Uint8Array {
  const m = change(k.RTM_NEWQDISC, k.NLM_F_CREATE | k.NLM_F_EXCL);
  tcmsg(m, { linkIndex, handle: k.TC_H_CLSACT_HANDLE, parent: k.TC_H_CLSACT, info: 0 });
  m.attributeString(k.TCA_KIND, "clsact");
  return m.finish();
}

/** Equivalent to: `tc qdisc delete dev L clsact` */
export function deleteClsact(linkIndex: number): Uint8Array {
  const m = change(k.RTM_DELQDISC);
  tcmsg(m, { linkIndex, handle: k.TC_H_CLSACT_HANDLE, parent: k.TC_H_CLSACT, info: 0 });
  return m.finish();
}

/**
 * Adds Netloom's filter, or replaces its program under running traffic. EINVAL: a foreign filter of another kind has this
 * priority.
 * Equivalent to: `tc filter replace dev L ingress pref 1 handle 0x4e4c bpf direct-action …`
 */
export function putUplinkFilter(linkIndex: number, programFd: number): Uint8Array {
  const m = change(k.RTM_NEWTFILTER, k.NLM_F_CREATE);
  ours(m, linkIndex);
  m.attribute(k.TCA_OPTIONS, () => {
    m.attributeU32(k.TCA_BPF_FD, programFd);
    m.attributeString(k.TCA_BPF_NAME, "uplink");
    m.attributeU32(k.TCA_BPF_FLAGS, k.TCA_BPF_FLAG_ACT_DIRECT);
  });
  return m.finish();
}

/** Equivalent to: `tc filter delete dev L ingress pref 1 handle 0x4e4c bpf` */
export function deleteUplinkFilter(linkIndex: number): Uint8Array {
  const m = change(k.RTM_DELTFILTER);
  ours(m, linkIndex);
  return m.finish();
}

/** Lists all filters of one direction of a device. Equivalent to: `tc filter show dev L ingress|egress` */
export function dumpFilters(linkIndex: number, way: "ingress" | "egress"): Uint8Array {
  const m = dump(k.RTM_GETTFILTER);
  const parent = way === "ingress" ? k.TC_H_INGRESS : k.TC_H_EGRESS;
  tcmsg(m, { linkIndex, handle: 0, parent, info: 0 });
  return m.finish();
}

function ours(m: MessageWriter, linkIndex: number): void {
  const info = (PRIORITY << 16) | k.ETH_P_ALL_BE;
  tcmsg(m, { linkIndex, handle: HANDLE, parent: k.TC_H_INGRESS, info });
  m.attributeString(k.TCA_KIND, "bpf");
}
