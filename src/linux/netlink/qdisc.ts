/** Queueing disciplines at the root of a device: `tcmsg` and TCA attributes. Source: include/uapi/linux/pkt_sched.h */
import type { Qdisc } from "../../kernel/kernel.ts";
import * as k from "./constants.ts";
import { type Attributes, type NetlinkMessage, present, readAttributes, Struct } from "./message-reader.ts";
import { change, dump, MessageWriter } from "./message-writer.ts";

/** The kernel's clock for packet schedulers ticks every 64 ns (PSCHED_SHIFT). */
const TICK_NS = 64;
const MAX_U32 = 0xffffffff;
const NETEM_LIMIT_PACKETS = 1000;

export interface QdiscMessage extends Pick<Qdisc, "shape"> {
  readonly linkIndex: number;
}

/** A qdisc in the kernel. `shape` is absent for kinds that Netloom does not make. */
export interface ObservedQdisc extends Partial<QdiscMessage> {
  readonly linkIndex: number;
  readonly kind: string;
  /** TC_H_ROOT for the root. */
  readonly parent: number;
  /** Number of the shared block of an ingress or clsact qdisc. */
  readonly ingressBlock?: number;
}

/** Replaces the root qdisc, even one of another kind. Equivalent to: `tc qdisc replace dev L root tbf|netem …` */
export function replaceQdisc({ linkIndex, shape }: QdiscMessage): Uint8Array {
  const m = change(k.RTM_NEWQDISC, k.NLM_F_CREATE | k.NLM_F_REPLACE);
  tcmsg(m, linkIndex, k.TC_H_ROOT);
  m.attributeString(k.TCA_KIND, shape.type);
  m.attribute(k.TCA_OPTIONS, () => (shape.type === "tbf" ? tbf(m, shape) : netem(m, shape)));
  return m.finish();
}

/** Restores the default. ENOENT: none was set. Equivalent to: `tc qdisc delete dev L root` */
export function deleteQdisc(linkIndex: number): Uint8Array {
  const m = change(k.RTM_DELQDISC);
  tcmsg(m, linkIndex, k.TC_H_ROOT);
  return m.finish();
}

/**
 * Queries the root qdisc of one device, which may be `noqueue`; or with TC_H_CLSACT the one at its ingress. Without
 * NLM_F_ECHO the kernel answers only to the listeners of notifications. Equivalent to: `tc qdisc show dev L root|ingress`
 */
export function getQdisc(linkIndex: number, parent: number = k.TC_H_ROOT): Uint8Array {
  const m = new MessageWriter(k.RTM_GETQDISC, k.NLM_F_ECHO);
  tcmsg(m, linkIndex, parent);
  return m.finish();
}

/** Lists the qdiscs of all devices: the kernel cannot filter. Equivalent to: `tc qdisc show` */
export function dumpQdiscs(): Uint8Array {
  const m = dump(k.RTM_GETQDISC);
  tcmsg(m, 0, 0);
  return m.finish();
}

/** Reads RTM_NEWQDISC and RTM_DELQDISC. Throws DecodeError. */
export function decodeQdisc(message: NetlinkMessage): ObservedQdisc {
  const header = new Struct("qdisc", message.body, 20);
  const attributes = readAttributes("qdisc", message.body, 20);
  const kind = attributes.string(k.TCA_KIND) ?? "";
  return {
    linkIndex: header.i32(4),
    kind,
    parent: header.u32(12),
    ...present("shape", shapeOf(kind, attributes)),
    ...present("ingressBlock", attributes.u32(k.TCA_INGRESS_BLOCK)),
  };
}

function shapeOf(kind: string, attributes: Attributes): Qdisc["shape"] | undefined {
  if (kind === "tbf") return decodeTbf(attributes);
  if (kind === "netem") return decodeNetem(attributes);
  return undefined;
}

type Tbf = Extract<Qdisc["shape"], { type: "tbf" }>;
type Netem = Extract<Qdisc["shape"], { type: "netem" }>;

/**
 * `tc_tbf_qopt`: `tc_ratespec rate | tc_ratespec peakrate | u32 limit | u32 buffer | u32 mtu`, where a ratespec is
 * `u8 cell_log | u8 linklayer | u16 overhead | i16 cell_align | u16 mpu | u32 rate in bytes per second`.
 * Linux takes the link layer from the ratespec, so the rate table that tc computes for old kernels is left out. The kernel
 * reports the burst only as time (`buffer`), which loses bytes. `mtu` has no meaning without a peak rate and is reported
 * unchanged: it carries the burst.
 */
function tbf(m: MessageWriter, shape: Tbf): void {
  const rate = Math.round(shape.rateBitsPerSecond / 8);
  const ticks = Math.floor((shape.burstBytes * 1e9) / rate / TICK_NS);
  m.attribute(k.TCA_TBF_PARMS, () => {
    m.u8(0).u8(k.TC_LINKLAYER_ETHERNET).u16(0).u16(0).u16(0).u32(Math.min(rate, MAX_U32));
    m.u32(0).u32(0).u32(0);
    m.u32(shape.limitBytes).u32(Math.min(ticks, MAX_U32)).u32(shape.burstBytes);
  });
  m.attributeU32(k.TCA_TBF_BURST, shape.burstBytes);
  if (rate > MAX_U32) m.attribute(k.TCA_TBF_RATE64, () => m.u64(rate));
}

function decodeTbf(attributes: Attributes): Tbf | undefined {
  const options = attributes.nested(k.TCA_OPTIONS);
  const parameters = options?.struct(k.TCA_TBF_PARMS, 36);
  if (!parameters) return undefined;
  const rate = options?.u64(k.TCA_TBF_RATE64) ?? parameters.u32(8);
  const burst = parameters.u32(32) || Math.round((parameters.u32(28) * TICK_NS * rate) / 1e9);
  return { type: "tbf", rateBitsPerSecond: rate * 8, burstBytes: burst, limitBytes: parameters.u32(24) };
}

/** `tc_netem_qopt`: `u32 latency in ticks | u32 limit | u32 loss of 2^32-1 | u32 gap | u32 duplicate | u32 jitter`, then attributes. */
function netem(m: MessageWriter, shape: Netem): void {
  const delayNs = Math.round(shape.delayMs * 1e6);
  const loss = Math.round((shape.lossPercent / 100) * MAX_U32);
  m.u32(Math.min(Math.floor(delayNs / TICK_NS), MAX_U32))
    .u32(NETEM_LIMIT_PACKETS)
    .u32(loss)
    .u32(0)
    .u32(0)
    .u32(0);
  m.attribute(k.TCA_NETEM_LATENCY64, () => m.u64(delayNs));
}

function decodeNetem(attributes: Attributes): Netem | undefined {
  const parameters = attributes.struct(k.TCA_OPTIONS, 24);
  if (!parameters) return undefined;
  const delayNs =
    attributes.nested(k.TCA_OPTIONS, 24)?.u64(k.TCA_NETEM_LATENCY64) ?? parameters.u32(0) * TICK_NS;
  // 32 bits resolve six decimals of a percentage, so the given value reads back.
  return {
    type: "netem",
    delayMs: delayNs / 1e6,
    lossPercent: Math.round((parameters.u32(8) / MAX_U32) * 1e8) / 1e6,
  };
}

/** `u8 family | u8 | u16 | i32 index | u32 handle | u32 parent | u32 info` */
function tcmsg(m: MessageWriter, linkIndex: number, parent: number): void {
  m.u8(k.AF_UNSPEC).u8(0).u16(0).i32(linkIndex).u32(0).u32(parent).u32(0);
}
