/** Routing rules: `fib_rule_hdr` and FRA attributes. Source: include/uapi/linux/fib_rules.h */
import { formatIp, formatPrefix, mustParsePrefix } from "../../net/ip.ts";
import type { Rule } from "../../kernel/kernel.ts";
import * as k from "./constants.ts";
import {
  type Attributes,
  DecodeError,
  ipOf,
  type NetlinkMessage,
  present,
  readAttributes,
  Struct,
} from "./message-reader.ts";
import { change, dump, type MessageWriter } from "./message-writer.ts";

/** A rule that selects a table. */
export interface RuleMessage extends Omit<Rule, "kind" | "netns"> {
  /** The creator of the rule (FRA_PROTOCOL). */
  readonly protocol: number;
}

/** A rule in the kernel. */
export interface ObservedRule extends RuleMessage {
  /** FR_ACT_*; Netloom's are FR_ACT_TO_TBL. */
  readonly action: number;
}

/** Equivalent to: `ip rule add pref P [from F] [to T] [ipproto X] [sport A-B] [dport A-B] [iif I] lookup TABLE protocol N` */
export function newRule(rule: RuleMessage): Uint8Array {
  const m = change(k.RTM_NEWRULE, k.NLM_F_CREATE | k.NLM_F_EXCL);
  ruleMessage(m, rule);
  return m.finish();
}

/** Removes one rule that matches all given fields. ENOENT: there is none. Equivalent to: `ip rule delete …` */
export function deleteRule(rule: RuleMessage): Uint8Array {
  const m = change(k.RTM_DELRULE);
  ruleMessage(m, rule);
  return m.finish();
}

/** Equivalent to: `ip [-6] rule show` */
export function dumpRules(family: 4 | 6): Uint8Array {
  const m = dump(k.RTM_GETRULE);
  ruleHeader(m, { family, to: 0, from: 0, table: 0, action: 0 });
  return m.finish();
}

/** Reads RTM_NEWRULE and RTM_DELRULE. Throws DecodeError. */
export function decodeRule(message: NetlinkMessage): ObservedRule {
  const header = new Struct("rule", message.body, 12);
  const attributes = readAttributes("rule", message.body, 12);
  return {
    family: header.u8(0) === k.AF_INET6 ? 6 : 4,
    priority: attributes.u32(k.FRA_PRIORITY) ?? 0,
    table: attributes.u32(k.FRA_TABLE) ?? header.u8(4),
    ...present("from", prefix(attributes, k.FRA_SRC, header.u8(2))),
    ...present("to", prefix(attributes, k.FRA_DST, header.u8(1))),
    ...present("ipProtocol", attributes.u8(k.FRA_IP_PROTO)),
    ...present("sourcePorts", ports(attributes, k.FRA_SPORT_RANGE)),
    ...present("destinationPorts", ports(attributes, k.FRA_DPORT_RANGE)),
    ...present("iif", attributes.string(k.FRA_IIFNAME)),
    protocol: attributes.u8(k.FRA_PROTOCOL) ?? 0,
    action: header.u8(7),
  };
}

function prefix(attributes: Attributes, type: number, length: number): string | undefined {
  const bytes = attributes.bytes(type);
  if (!bytes) return undefined;
  if (length > bytes.length * 8) throw new DecodeError("rule", `prefix length ${length}`);
  return formatPrefix({ address: ipOf("rule", bytes), length });
}

/** `u16 first | u16 last`, in the host's byte order. */
function ports(attributes: Attributes, type: number): readonly [number, number] | undefined {
  const range = attributes.struct(type, 4);
  return range && [range.u16(0), range.u16(2)];
}

function ruleMessage(m: MessageWriter, rule: RuleMessage): void {
  const from = rule.from === undefined ? undefined : mustParsePrefix(rule.from);
  const to = rule.to === undefined ? undefined : mustParsePrefix(rule.to);
  const { sourcePorts, destinationPorts } = rule;
  ruleHeader(m, {
    family: rule.family,
    to: to?.length ?? 0,
    from: from?.length ?? 0,
    table: rule.table,
    action: k.FR_ACT_TO_TBL,
  });
  m.attributeU32(k.FRA_PRIORITY, rule.priority);
  if (from) m.attributeIp(k.FRA_SRC, formatIp(from.address));
  if (to) m.attributeIp(k.FRA_DST, formatIp(to.address));
  if (rule.ipProtocol !== undefined) m.attributeU8(k.FRA_IP_PROTO, rule.ipProtocol);
  if (sourcePorts) m.attribute(k.FRA_SPORT_RANGE, () => m.u16(sourcePorts[0]).u16(sourcePorts[1]));
  if (destinationPorts)
    m.attribute(k.FRA_DPORT_RANGE, () => m.u16(destinationPorts[0]).u16(destinationPorts[1]));
  if (rule.iif !== undefined) m.attributeString(k.FRA_IIFNAME, rule.iif);
  m.attributeU8(k.FRA_PROTOCOL, rule.protocol);
  if (rule.table > 255) m.attributeU32(k.FRA_TABLE, rule.table);
}

interface RuleHeader {
  readonly family: 4 | 6;
  /** Prefix lengths. */
  readonly to: number;
  readonly from: number;
  readonly table: number;
  readonly action: number;
}

/** `u8 family | u8 dst_len | u8 src_len | u8 tos | u8 table | u8 | u8 | u8 action | u32 flags` */
function ruleHeader(m: MessageWriter, r: RuleHeader): void {
  m.u8(r.family === 4 ? k.AF_INET : k.AF_INET6)
    .u8(r.to)
    .u8(r.from)
    .u8(0);
  m.u8(r.table > 255 ? k.RT_TABLE_UNSPEC : r.table)
    .u8(0)
    .u8(0)
    .u8(r.action)
    .u32(0);
}
