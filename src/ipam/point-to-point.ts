/**
 * Addresses for point-to-point wires: from each group of prefixes one pair, the endpoint's address and the client's.
 * Two groups make a wire dual stack; within a group the first prefix with room serves.
 * Upstream: sdk/pkg/networkservice/ipam/{point2pointipam,groupipam}.
 *
 * Guarantees
 * - An address is never given to two owners at once.
 * - An owner that asks again keeps its pairs, unless they have become excluded.
 * - `release` frees at once; `reserve` keeps the pairs for their owner until a time, then they are free.
 */
import { contains, formatIp, parsePrefix, type IpAddress, type IpPrefix } from "../net/ip.ts";
import { NetloomError } from "../errors/errors.ts";
import { reason } from "../errors/reasons.ts";
import { AddressPool } from "./address-pool.ts";
import { fromInteger, toInteger } from "../net/cover.ts";

export interface Pair {
  /** The endpoint's address. */
  readonly dst: IpAddress;
  /** The client's address. */
  readonly src: IpAddress;
}

export interface WantedAddress {
  /** Prefixes that no address may come from. */
  readonly excluded: readonly IpPrefix[];
  /**
   * Addresses as `address/length` that the client had before, for instance from an endpoint that is gone. Given again if they are
   * free.
   */
  readonly srcAddresses: readonly string[];
  readonly dstAddresses: readonly string[];
  /** The client's name for people: `alpha/web`. */
  readonly client?: string;
}

interface Holding {
  readonly pool: AddressPool;
  readonly pair: Pair;
}

export class PointToPointIpam {
  readonly #name: string;
  readonly #groups: readonly (readonly AddressPool[])[];
  /** The pairs of each owner, by number of the group. */
  readonly #holdings = new Map<string, readonly Holding[]>();
  /** Lost owners, with the monotonic time at which their pairs become free. */
  readonly #reservedUntilMs = new Map<string, number>();

  /** `name` is the pool's name in errors, usually that of the endpoint. */
  constructor(name: string, groups: readonly (readonly IpPrefix[])[]) {
    this.#name = name;
    this.#groups = groups.map((prefixes) => prefixes.map((prefix) => new AddressPool(prefix)));
  }

  /**
   * Gives `owner` one pair of each group. RESOURCE_EXHAUSTED if a group has no room; then nothing has changed. `nowMs` is
   * monotonic.
   */
  assign(owner: string, requested: WantedAddress, nowMs: number): Pair[] {
    this.#expire(nowMs);
    const before = this.#holdings.get(owner) ?? [];
    const after: Holding[] = [];
    try {
      for (const [index, pools] of this.#groups.entries()) {
        const old = before[index];
        const isStale =
          old && [old.pair.src, old.pair.dst].some((address) => isExcluded(address, requested.excluded));
        after.push(old && !isStale ? old : (this.#recover(pools, requested) ?? this.#take(pools, requested)));
      }
    } catch (error) {
      for (const holding of after) if (!before.includes(holding)) giveBack(holding);
      throw error;
    }
    for (const holding of before) if (!after.includes(holding)) giveBack(holding);
    this.#reservedUntilMs.delete(owner);
    this.#holdings.set(owner, after);
    return after.map((holding) => holding.pair);
  }

  /** After a close: frees the pairs at once. Unknown owners are no error. */
  release(owner: string): void {
    for (const holding of this.#holdings.get(owner) ?? []) giveBack(holding);
    this.#holdings.delete(owner);
    this.#reservedUntilMs.delete(owner);
  }

  /** After a loss: keeps the pairs from others until `untilMs` (monotonic). */
  reserve(owner: string, untilMs: number): void {
    if (this.#holdings.has(owner)) this.#reservedUntilMs.set(owner, untilMs);
  }

  /** Whether these pools may give the address, written as `address/length`. */
  covers(address: string): boolean {
    const prefix = parsePrefix(address);
    return prefix !== undefined && this.#groups.flat().some((pool) => contains(pool.prefix, prefix.address));
  }

  #expire(nowMs: number): void {
    for (const [owner, untilMs] of this.#reservedUntilMs) if (untilMs <= nowMs) this.release(owner);
  }

  #recover(pools: readonly AddressPool[], requested: WantedAddress): Holding | undefined {
    for (const pool of pools) {
      const [dst, src] = [requested.dstAddresses, requested.srcAddresses].map((list) =>
        firstOf(list, pool.prefix, requested.excluded),
      );
      if (!dst || !src || !pool.claim(toInteger(dst))) continue;
      if (pool.claim(toInteger(src))) return { pool, pair: { dst, src } };
      pool.free(toInteger(dst));
    }
    return undefined;
  }

  #take(pools: readonly AddressPool[], requested: WantedAddress): Holding {
    for (const pool of pools) {
      const dst = pool.take(requested.excluded);
      if (dst === undefined) continue;
      const src = pool.take(requested.excluded);
      if (src === undefined) {
        pool.free(dst);
        continue;
      }
      const { family } = pool.prefix.address;
      return { pool, pair: { dst: fromInteger(dst, family), src: fromInteger(src, family) } };
    }
    const names = pools.map((pool) => `${formatIp(pool.prefix.address)}/${pool.prefix.length}`).join(", ");
    throw new NetloomError(
      "RESOURCE_EXHAUSTED",
      `give ${requested.client ?? "a client"} a pair of addresses of ${this.#name}: its pool ${names} has no room left`,
      {
        topic: "NL-501",
        reason: reason("NO_FREE_ADDRESS", { endpoint: this.#name, pools: names.replaceAll(" ", "") }),
        hint: "give the endpoint a larger pool, exclude fewer prefixes, or close wires",
      },
    );
  }
}

function giveBack({ pool, pair }: Holding): void {
  pool.free(toInteger(pair.dst));
  pool.free(toInteger(pair.src));
}

function isExcluded(address: IpAddress, excluded: readonly IpPrefix[]): boolean {
  return excluded.some((prefix) => contains(prefix, address));
}

function firstOf(
  list: readonly string[],
  prefix: IpPrefix,
  excluded: readonly IpPrefix[],
): IpAddress | undefined {
  return list
    .map((text) => parsePrefix(text)?.address)
    .find((address) => address && contains(prefix, address) && !isExcluded(address, excluded));
}
