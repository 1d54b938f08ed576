/**
 * Finds rules of the host's firewall that match tunnel packets. They see few of these packets, because the fast path
 * bypasses netfilter. It reports every rule that may match: a condition that this file does not know counts as met.
 */
import { REMOTE_TYPES } from "../../mechanisms/list.ts";
import type { Expression, FilterChain, FilterRule, FilterState } from "../../linux/netlink/nftables.ts";
import { isFlagSet, settingOf } from "../../doctor/agent-of-host.ts";
import { ok, warning, type Check, type Report } from "../../doctor/check.ts";
import { mustParseIp } from "../../net/ip.ts";
import { count } from "../output.ts";
import type { DoctorHost } from "./host.ts";

export const netfilterCheck: Check<DoctorHost> = { name: "netfilter", title: "Firewall of the host", run };

const WHY = "most tunnel packets bypass it, in both directions";
const REMEDY = "netloom agent --no-fast-path";
/** Number of rules that are listed; the others are only counted. */
const MOST = 5;

function run(host: DoctorHost): readonly Report[] {
  if (isFlagSet(host, "no-fast-path")) return [ok("the agent sends all tunnel packets through it")];
  const reports = [...legacyTables(host), ...findings(host).map((what) => warning(what, WHY, REMEDY))];
  return reports.length > 0 ? reports : [ok("no rule matches tunnel packets")];
}

/** Tables of the old iptables, whose rules netlink does not list. */
function legacyTables(host: DoctorHost): Report[] {
  const tables = ["ip", "ip6"].flatMap((family) =>
    (host.read(`proc/self/net/${family}_tables_names`) ?? "")
      .split("\n")
      .filter((name) => name !== "")
      .map((name) => `${family}tables ${name}`),
  );
  if (tables.length === 0) return [];
  const what = `${tables.join(", ")}: tables of iptables-legacy, whose rules are not checked`;
  return [warning(what, `if a rule matches tunnel packets: ${WHY}`, REMEDY)];
}

function findings(host: DoctorHost): string[] {
  const { netfilter, addresses } = host;
  if (!netfilter) return [];
  const ports = REMOTE_TYPES.flatMap((type) => {
    const settings = Object.fromEntries(type.options.map((option) => [option.key, settingOf(host, option)]));
    return type.udpPort(settings) ?? [];
  });
  const found = [...tellingRules(netfilter, { ports, addresses }), ...closedChains(netfilter)];
  return found.length <= MOST
    ? found
    : [...found.slice(0, MOST), `${count(found.length - MOST, "more rule")} of nftables`];
}

/**
 * Directions of the NF_INET_* hooks: packets that enter and leave the host itself. The netdev family comes before all
 * of them.
 */
const HOOKS: ReadonlyMap<number, "in" | "out"> = new Map([
  [0, "in"],
  [1, "in"],
  [3, "out"],
  [4, "out"],
  [5, "in"],
]);

/** The direction of the packets that a chain sees. `undefined` for netdev's egress too, which still sees them. */
function wayOf({ family, hook }: FilterChain): "in" | "out" | undefined {
  if (hook === undefined) return undefined;
  return family === "netdev" ? (hook === 0 ? "in" : undefined) : HOOKS.get(hook);
}

function closedChains({ chains }: FilterState): string[] {
  return chains
    .filter((chain) => chain.drops && wayOf(chain))
    .map(({ family, table, chain }) => `nftables: ${family} ${table} ${chain} drops what no rule accepts`);
}

/** Known values of a tunnel packet. */
interface Known {
  readonly ports: readonly number[];
  /** Addresses of this host. */
  readonly addresses: readonly string[];
}

function tellingRules(state: FilterState, known: Known): string[] {
  const found = new Map<FilterRule, string>();
  for (const chain of state.chains) {
    const way = wayOf(chain);
    if (way) follow(state, chain, { way, known, found, seen: new Set() });
  }
  return [...found].map(
    ([{ family, table, chain, handle }, does]) =>
      `nftables: ${family} ${table} ${chain} handle ${handle}: ${does}`,
  );
}

interface Walk {
  readonly way: "in" | "out";
  readonly known: Known;
  readonly found: Map<FilterRule, string>;
  /** Chains that were followed already. */
  readonly seen: Set<string>;
}

function follow({ rules, chains }: FilterState, { family, table, chain }: FilterChain, walk: Walk): void {
  if (walk.seen.has(chain)) return;
  walk.seen.add(chain);
  const isHere = (each: FilterRule | FilterChain): boolean => each.family === family && each.table === table;
  for (const rule of rules) {
    if (!isHere(rule) || rule.chain !== chain) continue;
    const { does, leadsTo } = effectOf(rule, walk);
    if (does !== undefined) walk.found.set(rule, does);
    const next = chains.find((each) => isHere(each) && each.chain === leadsTo);
    if (next) follow({ rules, chains }, next, walk);
  }
}

/** Possible values of a register, each as bytes in network order. A register without an entry may have any value. */
type Values = readonly Uint8Array[];

/** The effect of a rule on tunnel packets, if it may match any and does more than accept them. */
function effectOf(
  rule: FilterRule,
  { way, known }: Walk,
): { readonly does?: string; readonly leadsTo?: string } {
  const registers = new Map<number, Values>();
  let leadsTo: string | undefined;
  const does: string[] = [];
  for (const { name, data } of rule.expressions) {
    if (name === "meta" || name === "payload" || name === "bitwise") {
      const step = load({ name, data }, { rule, way, known, registers });
      if (step === "writes") does.push("changes it");
      continue;
    }
    if (name === "cmp" || name === "range" || name === "match") {
      if (!mayHold({ name, data }, { registers, ports: known.ports })) return {};
      continue;
    }
    if (name === "immediate") {
      const { code, chain } = verdictOf(data);
      if (code === NF_DROP) does.push("drops it");
      leadsTo = chain ?? leadsTo;
      continue;
    }
    const word = name === "target" ? data.string(TARGET_NAME) : EFFECTS.get(name);
    if (word !== undefined) does.push(word);
  }
  return { ...(does.length > 0 && { does: does.join(", ") }), ...(leadsTo !== undefined && { leadsTo }) };
}

/** Statements that record a packet or change its path. */
const EFFECTS: ReadonlyMap<string, string> = new Map([
  ["reject", "rejects it"],
  ["log", "logs it"],
  ["nat", "translates its addresses"],
  ["masq", "translates its addresses"],
  ["redir", "translates its addresses"],
  ["queue", "hands it to a program"],
  ["dup", "copies it"],
  ["fwd", "sends it elsewhere"],
  ["tproxy", "hands it to a program"],
  ["notrack", "keeps it from being tracked"],
  ["quota", "counts it for a quota"],
]);

/** NFTA_* of each expression, and NFT_META_*, NFT_PAYLOAD_*, NFT_CMP_* */
const META = { to: 1, key: 2, from: 3, nfproto: 15, l4proto: 16 } as const;
const PAYLOAD = { to: 1, base: 2, offset: 3, length: 4, from: 5, network: 1, transport: 2 } as const;
const BITWISE = { from: 1, to: 2, mask: 4, xor: 5, operation: 6 } as const;
const COMPARE = { register: 1, operation: 2, data: 3 } as const;
const RANGE = { register: 1, operation: 2, first: 3, last: 4 } as const;
const VALUE = 1;
const IMMEDIATE_DATA = 2;
const VERDICT = 2;
const VERDICT_CODE = 1;
const VERDICT_CHAIN = 2;
const TARGET_NAME = 1;
const MATCH = { name: 1, info: 3 } as const;
const NF_DROP = 0;
const UDP = 17;

interface Loading {
  readonly rule: FilterRule;
  readonly way: "in" | "out";
  readonly known: Known;
  readonly registers: Map<number, Values>;
}

/** Loads the known values into a register. */
function load({ name, data }: Expression, { rule, way, known, registers }: Loading): "writes" | undefined {
  const at = { meta: META, payload: PAYLOAD, bitwise: BITWISE }[name as "meta" | "payload" | "bitwise"];
  const to = data.be32(at.to);
  if (to === undefined) return "writes";
  const values =
    name === "meta"
      ? metaValues(data, rule)
      : name === "payload"
        ? payloadValues(data, rule, { way, known })
        : masked(data, registers);
  if (values) registers.set(slot(to), values);
  else registers.delete(slot(to));
  return undefined;
}

/** Index of a register: one of 16 bytes is four of 4. */
function slot(register: number): number {
  return register <= 4 ? (register - 1) * 4 : register - 8;
}

function metaValues(data: Expression["data"], { family }: FilterRule): Values | undefined {
  const key = data.be32(META.key);
  if (key === META.l4proto) return [Uint8Array.of(UDP)];
  if (key !== META.nfproto) return undefined;
  return family === "ip" ? [Uint8Array.of(2)] : family === "ip6" ? [Uint8Array.of(10)] : undefined;
}

function payloadValues(
  data: Expression["data"],
  { family }: FilterRule,
  { way, known }: Pick<Loading, "way" | "known">,
): Values | undefined {
  const [base, offset, length] = [
    data.be32(PAYLOAD.base),
    data.be32(PAYLOAD.offset),
    data.be32(PAYLOAD.length),
  ];
  if (base === PAYLOAD.transport && offset === 2 && length === 2)
    return known.ports.map((port) => Uint8Array.of(port >> 8, port & 0xff));
  if (base !== PAYLOAD.network || length === undefined) return undefined;
  if (length === 1 && (family === "ip" ? offset === 9 : family === "ip6" && offset === 6))
    return [Uint8Array.of(UDP)];
  // To match a prefix, nft loads only the bytes that it needs.
  const bytes = offset === (way === "out" ? 12 : 16) ? 4 : offset === (way === "out" ? 8 : 24) ? 16 : 0;
  if (bytes < length) return undefined;
  return known.addresses
    .map((text) => mustParseIp(text).bytes)
    .filter((address) => address.length === bytes)
    .map((address) => address.slice(0, length));
}

function masked(data: Expression["data"], registers: ReadonlyMap<number, Values>): Values | undefined {
  const values = registers.get(slot(data.be32(BITWISE.from) ?? 0));
  const [mask, xor] = [data.nested(BITWISE.mask)?.bytes(VALUE), data.nested(BITWISE.xor)?.bytes(VALUE)];
  if (!values || !mask || !xor || (data.be32(BITWISE.operation) ?? 0) !== 0) return undefined;
  return values.map((bytes) => bytes.map((byte, i) => (byte & (mask[i] ?? 0)) ^ (xor[i] ?? 0)));
}

/** Returns whether a condition may hold for one of the values. Without known values it always may. */
function mayHold(
  { name, data }: Expression,
  { registers, ports }: { readonly registers: Map<number, Values>; readonly ports: readonly number[] },
): boolean {
  if (name === "match") return mayMatch(data, ports);
  const register = slot(data.be32(name === "cmp" ? COMPARE.register : RANGE.register) ?? 0);
  const values = registers.get(register);
  if (!values) return true;
  const holds = name === "cmp" ? comparison(data) : insideRange(data);
  const left = values.filter(holds);
  registers.set(register, left);
  return left.length > 0;
}

function comparison(data: Expression["data"]): (value: Uint8Array) => boolean {
  const wanted = data.nested(COMPARE.data)?.bytes(VALUE) ?? new Uint8Array();
  const operation = data.be32(COMPARE.operation) ?? 0;
  return (value) => {
    // A prefix may be compared by its bytes alone.
    const sign = Buffer.compare(value.subarray(0, wanted.length), wanted);
    return [sign === 0, sign !== 0, sign < 0, sign <= 0, sign > 0, sign >= 0][operation] ?? true;
  };
}

function insideRange(data: Expression["data"]): (value: Uint8Array) => boolean {
  const [first, last] = [RANGE.first, RANGE.last].map(
    (at) => data.nested(at)?.bytes(VALUE) ?? new Uint8Array(),
  );
  const isInverse = data.be32(RANGE.operation) === 1;
  return (value) =>
    (Buffer.compare(value, first ?? value) >= 0 && Buffer.compare(value, last ?? value) <= 0) !== isInverse;
}

/**
 * Matches of iptables that iptables-nft does not translate: `struct xt_udp` has two ranges of ports and flags that
 * invert them.
 */
function mayMatch(data: Expression["data"], ports: readonly number[]): boolean {
  const name = data.string(MATCH.name);
  if (name === "udp") {
    const info = data.struct(MATCH.info, 9);
    if (!info) return true;
    const isInverse = (info.u8(8) & 2) !== 0;
    return ports.some((port) => (port >= info.u16(4) && port <= info.u16(6)) !== isInverse);
  }
  return !["tcp", "icmp", "icmp6", "sctp", "esp", "ah"].includes(name ?? "");
}

function verdictOf(data: Expression["data"]): { readonly code?: number; readonly chain?: string } {
  const verdict = data.nested(IMMEDIATE_DATA)?.nested(VERDICT);
  const [code, chain] = [verdict?.be32(VERDICT_CODE), verdict?.string(VERDICT_CHAIN)];
  return { ...(code !== undefined && { code }), ...(chain !== undefined && { chain }) };
}
