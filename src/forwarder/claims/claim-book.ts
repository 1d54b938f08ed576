/** The owners of each workload's addresses. Lookup and claim are one step, without an await in between. */
import { prefixesOf, toInteger } from "../../net/cover.ts";
import { type IpPrefix, mustParsePrefix } from "../../net/ip.ts";
import { RangeSet } from "../../net/range-set.ts";
import type { KernelObject } from "../../kernel/kernel.ts";
import { carrierKey, linkKey } from "../../kernel/link.ts";
import { attractionsOf, carrierOf, endsOf, isAttached, isDevice } from "../../kernel/objects.ts";
import { LOCAL_TABLE, MAIN_TABLE } from "../../kernel/objects/route.ts";
import { sideOfAlias } from "../../mechanisms/naming.ts";
import type { Side } from "../../mechanisms/side.ts";

/** A destination in one routing table of a workload: an own address, the far end of a wire, or a route. */
export interface Claim {
  /** Identity of the workload's namespace. */
  readonly netns: string;
  readonly table: number;
  /** In canonical form. */
  readonly destination: string;
  readonly link: string;
  readonly side: Side;
  /** Set for a single address in the local or main table, which all processes of the namespace use. */
  readonly address: { readonly family: 4 | 6; readonly value: bigint } | undefined;
}

export interface Clash {
  readonly claim: Claim;
  /** The owner that holds `other`. */
  readonly owner: string;
  readonly other: Claim;
}

/** The claims of one owner. Each change makes a new object, so comparing objects tells whether anything changed. */
export interface Holding {
  /** The latest claims and those that may remain from before. */
  readonly all: readonly Claim[];
  readonly latest: readonly Claim[];
}

/**
 * Guarantees
 * - Two owners never hold the same destination in one table of a workload. An own address in a workload is never another owner's
 *   far end. Only endpoints share an own address: one address may serve all their wires.
 * - Adopted claims are kept as found, even if several owners hold the same one.
 */
export class ClaimBook {
  readonly #held = new Map<string, Held>();
  readonly #holdings = new Map<string, Holding>();

  /** Returns the clashes of `claims` with other owners. If there are none, adds `claims` to the owner's holding. */
  take(owner: string, claims: readonly Claim[]): readonly Clash[] {
    const clashes = claims.flatMap((claim) => this.#clashes(owner, claim));
    if (clashes.length === 0)
      this.#put(owner, claims, [...(this.#holdings.get(owner)?.all ?? []), ...claims]);
    return clashes;
  }

  /** Sets the owner's claims as found in the kernel, even if other owners hold the same. */
  adopt(owner: string, claims: readonly Claim[]): void {
    this.#put(owner, claims, claims);
  }

  /** Keeps only the owner's latest claims and releases the earlier ones. */
  settle(owner: string): void {
    const holding = this.#holdings.get(owner);
    if (!holding) return;
    const { all, latest } = holding;
    // A new object, so that a release with the earlier holding cannot give back the claims in force now.
    if (all.length === latest.length) this.#holdings.set(owner, { all: latest, latest });
    else this.#put(owner, latest, latest);
  }

  holdingOf(owner: string): Holding | undefined {
    return this.#holdings.get(owner);
  }

  /** Releases all claims, unless the owner's claims have changed since `holding` was read. */
  release(owner: string, holding: Holding | undefined): void {
    if (holding && this.#holdings.get(owner) === holding) this.#put(owner, [], []);
  }

  /** The addresses in use in a namespace, own and far-end ones, without those that only `owner` holds. */
  heldByOthers(netns: string, owner: string): IpPrefix[] {
    const held = this.#held.get(netns);
    if (!held) return [];
    const others = { 4: new RangeSet(held.addresses[4].ranges), 6: new RangeSet(held.addresses[6].ranges) };
    const own = this.#holdings.get(owner)?.all.filter((claim) => claim.netns === netns) ?? [];
    for (const [destination, { count, family, value }] of countAddresses(own))
      if (held.counts.get(destination) === count) others[family].delete(value);
    return [...prefixesOf(others[4].ranges, 4), ...prefixesOf(others[6].ranges, 6)];
  }

  #clashes(owner: string, claim: Claim): Clash[] {
    const found: Clash[] = [];
    for (const table of tablesAgainst(claim)) {
      for (const [holder, other] of this.#holders({ ...claim, table }) ?? []) {
        const areShared = [claim, other].every(
          (each) => each.table === LOCAL_TABLE && each.side === "endpoint",
        );
        // The other wire has a device of the same name: this wire replaces it or fails because of the name.
        if (holder !== owner && !areShared && other.link !== claim.link)
          found.push({ claim, owner: holder, other });
      }
    }
    return found;
  }

  #put(owner: string, latest: readonly Claim[], all: readonly Claim[]): void {
    for (const claim of this.#holdings.get(owner)?.all ?? []) this.#drop(owner, claim);
    this.#holdings.delete(owner);
    if (all.length === 0) return;
    this.#holdings.set(owner, { latest, all });
    for (const claim of all) {
      const held = this.#held.get(claim.netns) ?? newHeld();
      const holders = held.places.get(placeOf(claim)) ?? new Map<string, Claim>();
      if (!holders.has(owner)) countUp(held, claim);
      this.#held.set(claim.netns, held);
      held.places.set(placeOf(claim), holders.set(owner, claim));
    }
  }

  #drop(owner: string, claim: Claim): void {
    const held = this.#held.get(claim.netns);
    const holders = held?.places.get(placeOf(claim));
    if (!held || !holders?.delete(owner)) return;
    countDown(held, claim);
    if (holders.size === 0) held.places.delete(placeOf(claim));
    if (held.places.size === 0) this.#held.delete(claim.netns);
  }

  #holders(claim: Claim): ReadonlyMap<string, Claim> | undefined {
    return this.#held.get(claim.netns)?.places.get(placeOf(claim));
  }
}

/** The claims held in one namespace. */
interface Held {
  /** By table and destination, then by owner. */
  readonly places: Map<string, Map<string, Claim>>;
  /**
   * Number of claims of each address. `addresses` has the same addresses as ranges, because a workload may have
   * thousands.
   */
  readonly counts: Map<string, number>;
  readonly addresses: Readonly<Record<4 | 6, RangeSet>>;
}

function newHeld(): Held {
  return { places: new Map(), counts: new Map(), addresses: { 4: new RangeSet(), 6: new RangeSet() } };
}

function countUp({ counts, addresses }: Held, { address, destination }: Claim): void {
  if (!address) return;
  const count = counts.get(destination) ?? 0;
  counts.set(destination, count + 1);
  if (count === 0) addresses[address.family].add(address.value);
}

function countDown({ counts, addresses }: Held, { address, destination }: Claim): void {
  if (!address) return;
  const count = counts.get(destination) ?? 0;
  if (count > 1) {
    counts.set(destination, count - 1);
    return;
  }
  counts.delete(destination);
  addresses[address.family].delete(address.value);
}

/** Number of occurrences of each address in the claims of one owner; claims of the same place count once. */
function countAddresses(
  claims: readonly Claim[],
): Map<string, NonNullable<Claim["address"]> & { count: number }> {
  const counts = new Map<string, NonNullable<Claim["address"]> & { count: number }>();
  const places = new Map(claims.map((claim) => [placeOf(claim), claim]));
  for (const { destination, address } of places.values())
    if (address) counts.set(destination, { ...address, count: (counts.get(destination)?.count ?? 0) + 1 });
  return counts;
}

function addressOf(table: number, { address, length }: IpPrefix): Claim["address"] {
  const isMet = table === LOCAL_TABLE || table === MAIN_TABLE;
  if (!isMet || length !== address.bytes.length * 8) return undefined;
  return { family: address.family, value: toInteger(address) };
}

/** The claims of a wire, derived from its objects. `identityOf` maps a namespace name to its identity. */
export function claimsOf(
  objects: readonly KernelObject[],
  identityOf: (netns: string) => string | undefined,
): Claim[] {
  const sides = new Map<string, Side>();
  for (const { netns, name, alias } of objects.filter(isDevice).flatMap(endsOf)) {
    const side = sideOfAlias(alias);
    if (side) sides.set(linkKey(netns, name), side);
  }
  return objects.filter(isAttached).flatMap((object): Claim[] => {
    const carrier = carrierOf(object);
    const side = carrier && sides.get(carrierKey(carrier));
    const netns = carrier && identityOf(carrier.netns);
    if (!side || netns === undefined) return [];
    const attractions = attractionsOf(object);
    // Link-local addresses are local to each device and never clash.
    const own = attractions.find(({ table }) => table === LOCAL_TABLE);
    if (own && isLinkLocal(mustParsePrefix(own.destination))) return [];
    return attractions.map(({ table, destination }) => {
      const address = addressOf(table, mustParsePrefix(destination));
      return { netns, link: carrier.link, side, table, destination, address };
    });
  });
}

export function isOwnAddress({ table }: Claim): boolean {
  return table === LOCAL_TABLE;
}

/** fe80::/10 and 169.254.0.0/16 */
function isLinkLocal({ address: { family, bytes } }: IpPrefix): boolean {
  const [a = 0, b = 0] = bytes;
  return family === 6 ? a === 0xfe && (b & 0xc0) === 0x80 : a === 169 && b === 254;
}

/** Own addresses (the local table) are looked up before the main table, so claims in the two clash. */
function tablesAgainst({ table }: Claim): readonly number[] {
  return table === LOCAL_TABLE || table === MAIN_TABLE ? [LOCAL_TABLE, MAIN_TABLE] : [table];
}

function placeOf({ table, destination }: Claim): string {
  return `${table} ${destination}`;
}
