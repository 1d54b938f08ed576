/**
 * Reads chains and rules of nftables, as far as needed to tell which packets a rule may match. Includes the rules of
 * iptables-nft. Numbers are big-endian here. Source: include/uapi/linux/netfilter/nf_tables.h, nfnetlink.h
 */
import * as k from "./constants.ts";
import { type Attributes, type NetlinkMessage, readAttributes, readList, Struct } from "./message-reader.ts";
import { dump } from "./message-writer.ts";

/** `netdev` handles packets of one device, before all other families. */
type FilterFamily = "ip" | "ip6" | "inet" | "netdev";

const FAMILIES: ReadonlyMap<number, FilterFamily> = new Map([
  [1, "inet"],
  [2, "ip"],
  [5, "netdev"],
  [10, "ip6"],
]);

export interface FilterChain {
  readonly family: FilterFamily;
  readonly table: string;
  readonly chain: string;
  /** The hook of a base chain: NF_INET_*, NF_NETDEV_*. */
  readonly hook?: number;
  /** The policy of a base chain is to drop packets that no rule decides on. */
  readonly drops?: true;
}

export interface FilterRule {
  readonly family: FilterFamily;
  readonly table: string;
  readonly chain: string;
  readonly handle: number;
  readonly expressions: readonly Expression[];
}

/** All chains and rules of a namespace. */
export interface FilterState {
  readonly chains: readonly FilterChain[];
  readonly rules: readonly FilterRule[];
}

/** One expression of a rule: `meta`, `payload`, `cmp`, `immediate`, `counter`, … */
export interface Expression {
  readonly name: string;
  readonly data: Attributes;
}

/** NFTA_CHAIN_*, NFTA_HOOK_*, NFTA_RULE_*, NFTA_EXPR_* */
const CHAIN = { table: 1, name: 3, hook: 4, policy: 5 } as const;
const HOOK_NUMBER = 1;
const RULE = { table: 1, chain: 2, handle: 3, expressions: 4 } as const;
const EXPRESSION = { name: 1, data: 2 } as const;
const NF_DROP = 0;
/** `struct nfgenmsg` */
const HEADER_BYTES = 4;

/** Equivalent to: `nft list chains` */
export function dumpFilterChains(): Uint8Array {
  return question(k.NFT_MSG_GETCHAIN);
}

/** Equivalent to: `nft list ruleset` */
export function dumpFilterRules(): Uint8Array {
  return question(k.NFT_MSG_GETRULE);
}

function question(type: number): Uint8Array {
  return dump(type).u8(k.AF_UNSPEC).u8(0).u16(0).finish();
}

/** `undefined` for families without tunnel packets: bridges, ARP. Throws DecodeError. */
export function decodeFilterChain({ body }: NetlinkMessage): FilterChain | undefined {
  const family = FAMILIES.get(new Struct("chain", body, HEADER_BYTES).u8(0));
  if (!family) return undefined;
  const attributes = readAttributes("chain", body, HEADER_BYTES);
  const hook = attributes.nested(CHAIN.hook)?.be32(HOOK_NUMBER);
  return {
    family,
    table: attributes.string(CHAIN.table) ?? "",
    chain: attributes.string(CHAIN.name) ?? "",
    ...(hook !== undefined && { hook }),
    ...(attributes.be32(CHAIN.policy) === NF_DROP && { drops: true }),
  };
}

/** `undefined` for families without tunnel packets. Throws DecodeError. */
export function decodeFilterRule({ body }: NetlinkMessage): FilterRule | undefined {
  const family = FAMILIES.get(new Struct("rule of a filter", body, HEADER_BYTES).u8(0));
  if (!family) return undefined;
  const attributes = readAttributes("rule of a filter", body, HEADER_BYTES);
  // Copy the expressions, which are decoded later: the receive buffer is reused.
  const list = attributes.bytes(RULE.expressions)?.slice() ?? new Uint8Array();
  return {
    family,
    table: attributes.string(RULE.table) ?? "",
    chain: attributes.string(RULE.chain) ?? "",
    handle: attributes.be64(RULE.handle) ?? 0,
    expressions: readList("expressions", list).map((element) => {
      const expression = readAttributes("expression", element, 0);
      return {
        name: expression.string(EXPRESSION.name) ?? "",
        data: expression.nested(EXPRESSION.data) ?? readAttributes("expression", new Uint8Array(), 0),
      };
    }),
  };
}
