/**
 * The used and free addresses of this host's workloads. One book for all wires of the host, because only here both sides are
 * known: the addresses that a wire brings and the workload that gets them.
 *
 * ```
 *   held ──> request, with these excluded ──> answer ──> claim ──> apply ──> settle
 *                    ^                                     │
 *                    └──────────── taken meanwhile ────────┘
 * ```
 */
import { fewestPrefixes } from "../../net/cover.ts";
import {
  contains,
  formatIp,
  formatPrefix,
  type IpPrefix,
  isFullLength,
  mustParsePrefix,
} from "../../net/ip.ts";
import { NetloomError } from "../../errors/errors.ts";
import { reason } from "../../errors/reasons.ts";
import type { Kernel, KernelObject, NativeNetwork, Netns } from "../../kernel/kernel.ts";
import { attractionsOf, namespacesOf } from "../../kernel/objects.ts";
import type { Clock } from "../../async/clock.ts";
import { ClaimBook, claimsOf, type Clash, type Holding, isOwnAddress } from "./claim-book.ts";
import { nativePrefixes } from "./native-prefixes.ts";
import { plan } from "../plan/plan.ts";
import type { Wire } from "../wire.ts";
import { deviceOf } from "../../mechanisms/list.ts";
import type { Side } from "../../mechanisms/side.ts";

/**
 * Time for which the workload's own network is cached: reading it costs more the more wires there are. A claim checks
 * its own addresses afresh, and reads the whole network again if one of them now belongs to the workload.
 */
const NATIVE_MS = 5_000;

/** ALREADY_EXISTS: the workload already has an address that a wire would bring. The next request has to exclude `prefixes`. */
export class AddressesTaken extends NetloomError {
  override readonly name: string = "AddressesTaken";
  /** The addresses that clash. Empty if a route clashes: another address would not help. */
  readonly addresses: readonly IpPrefix[];
  /** All prefixes in use in the workloads of this wire. */
  readonly prefixes: readonly IpPrefix[];

  constructor(message: string, addresses: readonly IpPrefix[], prefixes: readonly IpPrefix[]) {
    super("ALREADY_EXISTS", message, {
      topic: "NL-502",
      reason: reason("ADDRESS_TAKEN", { addresses: addresses.map(formatPrefix).join(",") }),
      hint: "the endpoint has to leave out what the request excludes; or give the two services different pools",
    });
    this.addresses = addresses;
    this.prefixes = prefixes;
  }
}

/** The result of a claim, needed to release it. */
export type Taken = Holding | undefined;

export class Claims {
  readonly #kernel: Kernel;
  readonly #clock: Clock;
  readonly #book = new ClaimBook();
  readonly #native = new Map<Netns, { readonly atMs: number; readonly read: Promise<Native> }>();

  constructor({ kernel, clock }: { readonly kernel: Kernel; readonly clock: Clock }) {
    this.#kernel = kernel;
    this.#clock = clock;
  }

  /**
   * The fewest prefixes that cover the addresses in use in `netns`, except those of this wire only: addresses of other wires, and
   * of the workload's own network as read in the last `NATIVE_MS`. Empty for a namespace that does not exist.
   */
  async held(netns: Netns, wireId: string): Promise<IpPrefix[]> {
    const native = await this.#readNative(netns);
    return fewestPrefixes([...this.#book.heldByOthers(native.identity, wireId), ...native.prefixes]);
  }

  /**
   * Claims everything that the wire brings into workloads of this host, or throws `AddressesTaken` and claims nothing. The wire
   * must be valid.
   */
  async claim(wire: Wire): Promise<Taken> {
    const owner = wire.connectionId;
    // A wire that is up can be renewed even if the workload's own network now contains its addresses.
    const known = new Set(this.#book.holdingOf(owner)?.latest.map(({ destination }) => destination));
    const sides = workloadsOf(wire).map(({ side, netns }) => {
      const brought = broughtTo(wire, side).filter((address) => !known.has(formatPrefix(address)));
      return { side, netns, brought };
    });
    const answers = await this.#kernel.nativeNetworks(
      sides.map(({ netns, brought }) => ({ netns, near: brought.map(formatPrefix) })),
    );
    const near = sides.map(({ netns }, i) => nativeOf(answers[i], netns));
    const identities = new Map<string, string | undefined>(
      sides.map(({ netns }, i) => [netns, near[i]?.identity]),
    );
    const claims = claimsOf(plan(wire).objects, (netns) => identities.get(netns));
    const inNative = sides.flatMap(({ side, brought }, i) =>
      brought.flatMap((address) => {
        const net = near[i]?.prefixes.find((each) => contains(each, address.address));
        return net ? [{ side, address, net }] : [];
      }),
    );
    // No await from here to the return: no other claim comes in between.
    const clashes = inNative.length > 0 ? [] : this.#book.take(owner, claims);
    if (inNative.length === 0 && clashes.length === 0) return this.#book.holdingOf(owner);
    const all: IpPrefix[] = [];
    for (const { side, netns } of sides) {
      if (inNative.some((each) => each.side === side)) this.#native.delete(netns);
      const native = await this.#readNative(netns);
      all.push(...native.prefixes, ...this.#book.heldByOthers(native.identity, owner));
    }
    const addresses = [
      ...inNative.map(({ address }) => address),
      ...clashes.map(({ claim }) => mustParsePrefix(claim.destination)).filter(isFullLength),
    ];
    const reasons = [
      ...inNative.map(
        ({ side, address, net }) =>
          `${formatIp(address.address)} belongs to the ${side}'s own network ${formatPrefix(net)}`,
      ),
      ...clashes.map(describe),
    ];
    throw new AddressesTaken(
      `make wire ${owner}: ${[...new Set(reasons)].join(", ")}`,
      addresses,
      fewestPrefixes(all),
    );
  }

  /** Claims the objects found of a wire that an earlier process made. */
  async adopt(wireId: string, objects: readonly KernelObject[]): Promise<void> {
    const identities = new Map<string, string>();
    for (const object of objects) {
      const names = attractionsOf(object).length > 0 ? namespacesOf(object) : [];
      for (const netns of names)
        if (!identities.has(netns)) identities.set(netns, (await this.#identify(netns)) ?? netns);
    }
    this.#book.adopt(
      wireId,
      claimsOf(objects, (netns) => identities.get(netns)),
    );
  }

  /** The wire is in the kernel as last claimed: releases its earlier claims. */
  settle(wireId: string): void {
    this.#book.settle(wireId);
  }

  holdingOf(wireId: string): Taken {
    return this.#book.holdingOf(wireId);
  }

  /** The wire's objects are gone: releases its claims, unless more was claimed for it since `taken`. */
  release(wireId: string, taken: Taken): void {
    this.#book.release(wireId, taken);
  }

  /** The identity (inode) of a namespace, or `undefined` if it does not exist. A name may refer to another namespace tomorrow. */
  async #identify(netns: Netns): Promise<string | undefined> {
    if (netns.startsWith("inode:")) return netns;
    try {
      return (await this.#kernel.resolve(netns)).netns;
    } catch (error) {
      if (error instanceof NetloomError && error.code === "NOT_FOUND") return undefined;
      throw error;
    }
  }

  #readNative(netns: Netns): Promise<Native> {
    const nowMs = this.#clock.monotonicMs();
    // The entries are in time order.
    for (const [each, { atMs }] of this.#native) {
      if (nowMs - atMs <= NATIVE_MS) break;
      this.#native.delete(each);
    }
    const known = this.#native.get(netns);
    if (known) return known.read;
    const read = this.#kernel.nativeNetworks([{ netns }]).then(([answer]) => nativeOf(answer, netns));
    this.#native.set(netns, { atMs: nowMs, read });
    // The caller gets the error; here only the cache entry goes.
    read.catch(() => this.#native.delete(netns));
    return read;
  }
}

/** A workload's own network, without Netloom's wires. */
interface Native {
  /** The inode: a name may refer to another namespace tomorrow. */
  readonly identity: string;
  readonly prefixes: readonly IpPrefix[];
}

/** A missing namespace has no network here; making the wire reports the error. */
function nativeOf(answer: NativeNetwork | undefined, netns: Netns): Native {
  return { identity: answer?.identity ?? netns, prefixes: answer ? nativePrefixes(answer) : [] };
}

function workloadsOf(wire: Wire): { readonly side: Side; readonly netns: Netns }[] {
  return (["client", "endpoint"] as const).flatMap((side) => {
    const device = deviceOf(wire[side]);
    return device ? [{ side, netns: device.netns }] : [];
  });
}

/** Addresses that must not be part of the workload's own network. An endpoint may use an address of its own for a wire. */
function broughtTo({ context: { srcIpAddrs = [], dstIpAddrs = [] } }: Wire, side: Side): IpPrefix[] {
  const brought = side === "client" ? [...srcIpAddrs, ...dstIpAddrs] : srcIpAddrs;
  return brought.map(mustParsePrefix).map(({ address }) => ({ address, length: address.bytes.length * 8 }));
}

function describe({ claim, owner, other }: Clash): string {
  const prefix = mustParsePrefix(claim.destination);
  const what = isFullLength(prefix) ? formatIp(prefix.address) : claim.destination;
  if (prefix.length === 1) {
    return `the default route is that of ${other.link} in the ${claim.side}'s workload already, for wire ${owner}`;
  }
  const role = isOwnAddress(other) ? "an address" : isFullLength(prefix) ? "the far end" : "a route";
  return `${what} is ${role} of ${other.link} in the ${claim.side}'s workload already, for wire ${owner}`;
}
