/**
 * One filter for the ingress of many devices: each device gets an `ingress` qdisc with a shared block, and the block has
 * one BPF filter. Unlike a tcx link it needs no RCU grace period, neither to be attached nor when its device is removed.
 * But root in the namespace can detach it, so it is for the host's own devices only.
 * Source: include/uapi/linux/pkt_cls.h, pkt_sched.h, rtnetlink.h (shared blocks since v4.16)
 */
import * as k from "./constants.ts";
import { type NetlinkMessage, readAttributes } from "./message-reader.ts";
import { change, MessageWriter } from "./message-writer.ts";

/** Number of Netloom's block. Blocks are numbered per namespace. */
export const INGRESS_BLOCK = 0x4e4c0000;

/**
 * Not `clsact`: that would bind a second block for egress, and the kernel keeps all bound blocks in a list.
 * Equivalent to: `tc qdisc add dev L ingress_block B ingress`. EEXIST if the device has an ingress or clsact qdisc.
 */
export function addIngressBlock(linkIndex: number): Uint8Array {
  const m = change(k.RTM_NEWQDISC, k.NLM_F_CREATE | k.NLM_F_EXCL);
  tcmsg(m, { linkIndex, handle: k.TC_H_CLSACT_HANDLE, parent: k.TC_H_CLSACT, info: 0 });
  m.attributeString(k.TCA_KIND, "ingress");
  m.attributeU32(k.TCA_INGRESS_BLOCK, INGRESS_BLOCK);
  return m.finish();
}

/** Equivalent to: `tc qdisc delete dev L ingress` */
export function deleteIngressBlock(linkIndex: number): Uint8Array {
  const m = change(k.RTM_DELQDISC);
  tcmsg(m, { linkIndex, handle: k.TC_H_CLSACT_HANDLE, parent: k.TC_H_CLSACT, info: 0 });
  return m.finish();
}

/**
 * Adds Netloom's filter to the block, which must have a device; EEXIST if the filter exists. With `replaces` it replaces an
 * older program under running traffic. Equivalent to: `tc filter add block B pref 1 handle 1 bpf direct-action …`
 */
export function addBlockFilter(programFd: number, { replaces }: { readonly replaces: boolean }): Uint8Array {
  const m = change(k.RTM_NEWTFILTER, k.NLM_F_CREATE | (replaces ? 0 : k.NLM_F_EXCL));
  ourFilter(m);
  m.attribute(k.TCA_OPTIONS, () => {
    m.attributeU32(k.TCA_BPF_FD, programFd);
    m.attributeString(k.TCA_BPF_NAME, "wire");
    m.attributeU32(k.TCA_BPF_FLAGS, k.TCA_BPF_FLAG_ACT_DIRECT);
  });
  return m.finish();
}

/**
 * Queries Netloom's filter, answered by RTM_NEWTFILTER. EINVAL: no device has the block; ENOENT: the block has no filter.
 * Equivalent to: `tc filter get block B pref 1 handle 1 protocol all bpf`
 */
export function getBlockFilter(): Uint8Array {
  const m = new MessageWriter(k.RTM_GETTFILTER, 0);
  ourFilter(m);
  return m.finish();
}

/** The ID of the program of a filter. Throws DecodeError. */
export function decodeFilterProgram(message: NetlinkMessage): number | undefined {
  return readAttributes("filter", message.body, 20).nested(k.TCA_OPTIONS)?.u32(k.TCA_BPF_ID);
}

function ourFilter(m: MessageWriter): void {
  tcmsg(m, {
    linkIndex: k.TCM_IFINDEX_MAGIC_BLOCK,
    handle: 1,
    parent: INGRESS_BLOCK,
    info: (1 << 16) | k.ETH_P_ALL_BE,
  });
  m.attributeString(k.TCA_KIND, "bpf");
}

/** `u8 family | u8 | u16 | i32 index | u32 handle | u32 parent, or number of the block | u32 priority, protocol` */
export function tcmsg(
  m: MessageWriter,
  to: { readonly linkIndex: number; readonly handle: number; readonly parent: number; readonly info: number },
): void {
  m.u8(k.AF_UNSPEC).u8(0).u16(0).i32(to.linkIndex).u32(to.handle).u32(to.parent).u32(to.info);
}
