/** Who has which address of a workload. Looking up and taking are one step, without an await in between. */
import { formatPrefix, isFullLength, mustParsePrefix, network, type IpPrefix } from "../net/ip.ts";
import type { KernelObject } from "../world/kernel.ts";
import { carrierOf, endsOf, isDevice, linkKey } from "./identity.ts";
import { sideOfAlias } from "./naming.ts";
import type { Side } from "./wire.ts";

/** The kernel's numbers of the tables for own addresses, and for what is reached. */
const LOCAL_TABLE = 255;
const MAIN_TABLE = 254;

/** A destination in one routing table of a workload: an own address, the far end of a wire, or a route. */
export interface Claim {
  /** Identity of the workload's namespace. */
  readonly netns: string;
  readonly table: number;
  /** Canonical. */
  readonly destination: string;
  readonly link: string;
  readonly side: Side;
}

export interface Clash {
  readonly claim: Claim;
  /** Who has it. */
  readonly owner: string;
  readonly other: Claim;
}

/** What an owner holds, as long as it is the same object. */
export interface Holding {
  /** What it has asked for last, and what it may still have from before. */
  readonly all: readonly Claim[];
  readonly latest: readonly Claim[];
}

/**
 * Guarantees
 * - Two owners never take the same destination in one table of a workload, and nobody takes as far end what is an own
 *   address there, or the other way round. Only endpoints share an own address: one may do for all their wires.
 * - What was adopted is held as it was found, by all that have it.
 */
export class ClaimBook {
  /** By namespace, then by table and destination, then by owner. */
  readonly #held = new Map<string, Map<string, Map<string, Claim>>>();
  readonly #holdings = new Map<string, Holding>();

  /** What of `claims` others have. Without any all of it is the owner's, beside what it has already. */
  take(owner: string, claims: readonly Claim[]): readonly Clash[] {
    const clashes = claims.flatMap((claim) => this.#clashes(owner, claim));
    if (clashes.length === 0)
      this.#put(owner, claims, [...(this.#holdings.get(owner)?.all ?? []), ...claims]);
    return clashes;
  }

  /** As `take`, whoever else has it: that is how it was found. */
  adopt(owner: string, claims: readonly Claim[]): void {
    this.#put(owner, claims, claims);
  }

  /** What the owner has taken last is in force: the rest is given back. */
  settle(owner: string): void {
    const latest = this.#holdings.get(owner)?.latest;
    if (latest) this.#put(owner, latest, latest);
  }

  holdingOf(owner: string): Holding | undefined {
    return this.#holdings.get(owner);
  }

  /** Gives everything back, unless the owner has taken something since. */
  release(owner: string, holding: Holding | undefined): void {
    if (holding && this.#holdings.get(owner) === holding) this.#put(owner, [], []);
  }

  /** The addresses in use in a namespace, own ones and those that are reached, except for what only `owner` has. */
  heldByOthers(netns: string, owner: string): IpPrefix[] {
    const prefixes: IpPrefix[] = [];
    for (const holders of this.#held.get(netns)?.values() ?? []) {
      for (const [holder, { table, destination }] of holders) {
        if (holder === owner || (table !== LOCAL_TABLE && table !== MAIN_TABLE)) continue;
        const prefix = mustParsePrefix(destination);
        if (isFullLength(prefix)) prefixes.push(prefix);
        break;
      }
    }
    return prefixes;
  }

  #clashes(owner: string, claim: Claim): Clash[] {
    const found: Clash[] = [];
    for (const table of tablesAgainst(claim)) {
      for (const [holder, other] of this.#holders({ ...claim, table }) ?? []) {
        const areShared = [claim, other].every(
          (each) => each.table === LOCAL_TABLE && each.side === "endpoint",
        );
        // A device of that name is another wire's: who makes this one takes its place, or fails by the name.
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
      const places = this.#held.get(claim.netns) ?? new Map<string, Map<string, Claim>>();
      const holders = places.get(placeOf(claim)) ?? new Map<string, Claim>();
      this.#held.set(claim.netns, places.set(placeOf(claim), holders.set(owner, claim)));
    }
  }

  #drop(owner: string, claim: Claim): void {
    const places = this.#held.get(claim.netns);
    const holders = places?.get(placeOf(claim));
    holders?.delete(owner);
    if (holders?.size === 0) places?.delete(placeOf(claim));
    if (places?.size === 0) this.#held.delete(claim.netns);
  }

  #holders(claim: Claim): ReadonlyMap<string, Claim> | undefined {
    return this.#held.get(claim.netns)?.get(placeOf(claim));
  }
}

/** What a wire claims by its objects; `identityOf` names their namespaces. */
export function claimsOf(
  objects: readonly KernelObject[],
  identityOf: (netns: string) => string | undefined,
): Claim[] {
  const sides = new Map<string, Side>();
  for (const { netns, name, alias } of objects.filter(isDevice).flatMap(endsOf)) {
    const side = sideOfAlias(alias);
    if (side) sides.set(linkKey(netns, name), side);
  }
  return objects.flatMap((object): Claim[] => {
    if (object.kind !== "address" && object.kind !== "route") return [];
    const side = sides.get(carrierOf(object) ?? "");
    const netns = identityOf(object.netns);
    if (!side || netns === undefined) return [];
    const at = { netns, link: object.link, side };
    if (object.kind === "route") {
      return [{ ...at, table: object.table ?? MAIN_TABLE, destination: object.destination }];
    }
    const own = mustParsePrefix(object.address);
    // Every device has one of its own.
    if (isLinkLocal(own)) return [];
    const onLink = network(mustParsePrefix(object.peer ?? object.address));
    const isOnlyOwn = object.peer === undefined && isFullLength(onLink);
    return [
      {
        ...at,
        table: LOCAL_TABLE,
        destination: formatPrefix({ ...own, length: own.address.bytes.length * 8 }),
      },
      ...(isOnlyOwn ? [] : [{ ...at, table: MAIN_TABLE, destination: formatPrefix(onLink) }]),
    ];
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

/** Own addresses are looked at before any other table. */
function tablesAgainst({ table }: Claim): readonly number[] {
  return table === LOCAL_TABLE || table === MAIN_TABLE ? [LOCAL_TABLE, MAIN_TABLE] : [table];
}

function placeOf({ table, destination }: Claim): string {
  return `${table} ${destination}`;
}
