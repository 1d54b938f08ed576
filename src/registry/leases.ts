/**
 * How long endpoints live without a sign of life. Kept in memory only: a sign of life costs no write.
 *
 * Guarantees
 * - An endpoint has one lease: one of its own, or one that it shares with others of its owner (`group`), which a single
 *   sign of life renews for all.
 * - Time is monotonic: a jump of the wall clock ends nothing.
 * - An endpoint is given to `onExpired` once, within `RESOLUTION_MS` after its lease has ended.
 */
import { timestampFromMs, type Timestamp } from "@bufbuild/protobuf/wkt";
import { NetloomError } from "../errors/errors.ts";
import type { Scope } from "../async/scope.ts";
import type { World } from "../world/world.ts";
import { Signal } from "../async/signal.ts";

/** Leases that end within the same interval are looked at together. */
const RESOLUTION_MS = 100;

export const DEFAULT_LEASE_MS = 60_000;

interface Lease {
  /** On `Clock.monotonicMs`. */
  endsAtMs: number;
  /** The interval in which it is looked at next; never later than its end. */
  slot: number;
  readonly group: string | undefined;
  readonly names: Set<string> | readonly [string];
}

export interface LeaseOptions {
  readonly world: World;
  /** The longest that a lease lasts, and what one lasts of which nothing else is said. Default: 60,000 ms. */
  readonly leaseMs?: number;
  readonly onExpired: (names: readonly string[], scope: Scope) => Promise<void>;
}

export class Leases {
  readonly leaseMs: number;
  readonly #world: World;
  readonly #onExpired: LeaseOptions["onExpired"];
  readonly #byName = new Map<string, Lease>();
  readonly #groups = new Map<string, Lease>();
  /** When those ended that nobody has dropped yet, on `Clock.monotonicMs`. */
  readonly #ended = new Map<string, number>();
  readonly #slots = new Map<number, Set<Lease>>();
  #earliest = Infinity;
  /** Rings when an earlier one has come. */
  readonly #signal = new Signal();

  constructor({ world, leaseMs = DEFAULT_LEASE_MS, onExpired }: LeaseOptions) {
    this.leaseMs = leaseMs;
    this.#world = world;
    this.#onExpired = onExpired;
    world.scope.spawn("leases", (scope) => this.#run(scope));
  }

  has(name: string): boolean {
    return this.#byName.has(name);
  }

  /** How long an endpoint may live that wants to live until `wanted` (wall time). INVALID_ARGUMENT if that has passed. */
  ttlMs(name: string, wanted: number | undefined): number {
    const leftMs = wanted === undefined ? Infinity : wanted - this.#world.clock.wallMs();
    if (leftMs > 0) return Math.min(leftMs, this.leaseMs);
    throw new NetloomError(
      "INVALID_ARGUMENT",
      `register endpoint ${name}: its expiration time passed ${Math.round(-leftMs / 1000)} s ago`,
      { hint: "leave the expiration time to the registry, or compare the clocks of the two hosts" },
    );
  }

  /** A sign of life of `name`. With `group` it is one of everything in that group. */
  renew(name: string, options: { readonly ttlMs: number; readonly group?: string | undefined }): void {
    const { ttlMs, group } = options;
    const endsAtMs = this.#world.clock.monotonicMs() + ttlMs;
    this.#ended.delete(name);
    let lease = this.#byName.get(name);
    if (lease && lease.group !== group) {
      this.drop(name);
      lease = undefined;
    }
    lease ??= group === undefined ? undefined : this.#groups.get(group);
    if (!lease) {
      lease = { endsAtMs, slot: Infinity, group, names: group === undefined ? [name] : new Set<string>() };
      if (group !== undefined) this.#groups.set(group, lease);
    }
    if (lease.names instanceof Set) lease.names.add(name);
    this.#byName.set(name, lease);
    lease.endsAtMs = endsAtMs;
    this.#schedule(lease);
  }

  /** A sign of life of a whole group. The names in it; `undefined` if it has none. */
  renewGroup(group: string): ReadonlySet<string> | undefined {
    const lease = this.#groups.get(group);
    if (!lease || !(lease.names instanceof Set)) return undefined;
    lease.endsAtMs = this.#world.clock.monotonicMs() + this.leaseMs;
    return lease.names;
  }

  /** The lease of `name` matters no more. */
  drop(name: string): void {
    this.#ended.delete(name);
    const lease = this.#byName.get(name);
    if (!lease) return;
    this.#byName.delete(name);
    if (lease.names instanceof Set && lease.names.delete(name) && lease.names.size > 0) return;
    this.#forget(lease);
  }

  /** When endpoints end as things are, or have ended until they are dropped, on `Clock.wallMs`, rounded down. For many questions at one moment. */
  expirations(): (name: string) => number | undefined {
    const { clock } = this.#world;
    const offsetMs = clock.wallMs() - clock.monotonicMs();
    return (name) => {
      const endsAtMs = this.#byName.get(name)?.endsAtMs ?? this.#ended.get(name);
      return endsAtMs === undefined ? undefined : Math.floor(endsAtMs + offsetMs);
    };
  }

  expirationTime(name: string): Timestamp | undefined {
    const atMs = this.expirations()(name);
    return atMs === undefined ? undefined : timestampFromMs(atMs);
  }

  #schedule(lease: Lease): void {
    const slot = Math.ceil(lease.endsAtMs / RESOLUTION_MS);
    // One that lives longer than before is found too early, and is put where it belongs then.
    if (lease.slot <= slot) return;
    this.#slots.get(lease.slot)?.delete(lease);
    lease.slot = slot;
    let leases = this.#slots.get(slot);
    if (!leases) this.#slots.set(slot, (leases = new Set()));
    leases.add(lease);
    if (slot >= this.#earliest) return;
    this.#earliest = slot;
    this.#signal.ring();
  }

  #forget(lease: Lease): void {
    if (lease.group !== undefined) this.#groups.delete(lease.group);
    const leases = this.#slots.get(lease.slot);
    leases?.delete(lease);
    if (leases?.size === 0) this.#slots.delete(lease.slot);
  }

  async #run(scope: Scope): Promise<void> {
    const { clock } = this.#world;
    while (!scope.ended) {
      this.#earliest = this.#slots.size === 0 ? Infinity : Math.min(...this.#slots.keys());
      const waitMs = this.#earliest * RESOLUTION_MS - clock.monotonicMs();
      if (waitMs > 0) await this.#signal.wait(this.#world.clock, scope, waitMs);
      else await this.#expire(this.#earliest, scope);
    }
  }

  async #expire(slot: number, scope: Scope): Promise<void> {
    const leases = this.#slots.get(slot) ?? new Set<Lease>();
    this.#slots.delete(slot);
    const nowMs = this.#world.clock.monotonicMs();
    const names: string[] = [];
    for (const lease of leases) {
      lease.slot = Infinity;
      if (lease.endsAtMs > nowMs) {
        this.#schedule(lease);
        continue;
      }
      if (lease.group !== undefined) this.#groups.delete(lease.group);
      for (const name of lease.names) {
        this.#byName.delete(name);
        this.#ended.set(name, lease.endsAtMs);
      }
      names.push(...lease.names);
    }
    if (names.length > 0) await this.#onExpired(names, scope);
  }
}
