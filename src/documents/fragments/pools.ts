/** The address pools for the wires of an endpoint. */
import { z } from "zod";
import { LIMITS } from "../../elements/limits.ts";
import { AddressPool } from "../../ipam/address-pool.ts";
import { type IpPrefix, network, overlaps, parsePrefix } from "../../net/ip.ts";
import { type FilePath, type Finding, quote } from "../../text/problem.ts";
import { readPool } from "../../text/read-address.ts";
import { checkCount } from "./limits.ts";

export const poolsSchema = z.array(
  z.union([z.string(), z.array(z.string())]).meta({ alternatives: "a prefix, or a list of prefixes" }),
);

export type PoolsPart = z.infer<typeof poolsSchema>;

/** The pools as groups. A group has one prefix or several. */
export function poolGroups(pools: PoolsPart = []): string[][] {
  return pools.map((group) => (typeof group === "string" ? [group] : group));
}

/** Checks the pools, alone and without `excludedPrefixes`. */
export function checkPools(pools: PoolsPart, excludedPrefixes: readonly string[], path: FilePath): Finding[] {
  const groups = poolGroups(pools);
  const at = (i: number, j: number): FilePath =>
    typeof pools[i] === "string" ? [...path, i] : [...path, i, j];
  const read = groups.flatMap((group, i) =>
    group.map((text, j) => ({ text, path: at(i, j), ...readPool(text) })),
  );
  const wrong = read.flatMap(({ path, ...each }) => ("error" in each ? [{ path, message: each.error }] : []));
  const sound = read.flatMap((each) => ("value" in each ? [each] : []));
  const excluded = excludedPrefixes.flatMap((text) => parsePrefix(text) ?? []);
  return [
    ...checkCount(pools.length, path, "pools", LIMITS.list),
    ...wrong,
    ...sound.flatMap(({ text, value, path }, i) => poolProblem({ text, value }, sound.slice(0, i), path)),
    ...groups.flatMap((group, i) => groupProblem(group, excluded, [...path, i])),
  ];
}

interface Pool {
  readonly text: string;
  readonly value: IpPrefix;
}

function poolProblem({ text, value }: Pool, before: readonly Pool[], path: FilePath): Finding[] {
  if (!hasPair(value, []))
    return [{ path, message: `${quote(text)} has no room for two addresses, one for each end of a wire` }];
  const other = before.find((each) => overlaps(each.value, value));
  if (!other) return [];
  return [
    { path, message: `${quote(text)} overlaps ${quote(other.text)}; an address can be in one pool only` },
  ];
}

function groupProblem(group: readonly string[], excluded: readonly IpPrefix[], path: FilePath): Finding[] {
  if (group.length === 0) return [{ path, message: "a group needs a prefix" }];
  const prefixes = group.flatMap((text) => parsePrefix(text) ?? []);
  if (new Set(prefixes.map(({ address }) => address.family)).size > 1) {
    const message =
      "a group has prefixes of one family: each wire gets one pair of each group; write two groups for dual stack";
    return [{ path, message }];
  }
  const hadRoom = prefixes.some((prefix) => hasPair(prefix, []));
  if (!hadRoom || prefixes.some((prefix) => hasPair(prefix, excluded))) return [];
  return [{ path, message: "excludedPrefixes leave no room for a wire's two addresses" }];
}

function hasPair(prefix: IpPrefix, excluded: readonly IpPrefix[]): boolean {
  const pool = new AddressPool(network(prefix));
  return [1, 2].every(() => pool.take(excluded) !== undefined);
}
