/**
 * How long endpoints live without a sign of life. Kept in memory only: a sign of life costs no write.
 *
 * Guarantees
 * - An endpoint has one lease: one of its own, or one that it shares with others of its owner (`group`), which a single
 *   sign of life renews for all.
 * - Time is monotonic: a jump of the wall clock ends nothing.
 * - An endpoint is given to `onExpired` once, within 100 ms after its lease has ended.
 */
import { timestampFromMs, type Timestamp } from "@bufbuild/protobuf/wkt";
import { NetloomError } from "../errors/errors.ts";
import type { Scope } from "../async/scope.ts";
import type { World } from "../world/world.ts";
import { type Expiring, ExpiryQueue } from "../async/expiry-queue.ts";
import { Signal } from "../async/signal.ts";

export const DEFAULT_LEASE_MS = 60_000;

/** Its end is on `Clock.monotonicMs`. */
interface Lease extends Expiring {
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
  readonly #ends = new ExpiryQueue<Lease>();
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
    if (this.#ends.schedule(lease)) this.#signal.ring();
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

  #forget(lease: Lease): void {
    if (lease.group !== undefined) this.#groups.delete(lease.group);
    this.#ends.drop(lease);
  }

  async #run(scope: Scope): Promise<void> {
    const { clock } = this.#world;
    while (!scope.ended) {
      await this.#signal.wait(clock, scope, this.#ends.nextMs - clock.monotonicMs());
      await this.#expire(scope);
    }
  }

  async #expire(scope: Scope): Promise<void> {
    const names: string[] = [];
    for (const lease of this.#ends.takeEnded(this.#world.clock.monotonicMs())) {
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
