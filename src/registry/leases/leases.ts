/**
 * The leases of endpoints that programs have registered with a manager. In memory only: a restarted manager knows none of them.
 *
 * Guarantees
 * - Time is monotonic: a jump of the wall clock ends nothing.
 * - Each endpoint is passed to `onExpired` once, within 100 ms after its lease has ended.
 */
import type { Scope } from "../../async/scope.ts";
import type { World } from "../../world/world.ts";
import { type Expiring, ExpiryQueue, NO_SLOT } from "../../async/expiry-queue.ts";
import { Signal } from "../../async/signal.ts";

/** The end is on `Clock.monotonicMs`. */
interface Lease extends Expiring {
  readonly name: string;
}

export interface LeaseOptions {
  readonly world: World;
  readonly onExpired: (names: readonly string[], scope: Scope) => Promise<void>;
}

export class Leases {
  readonly #world: World;
  readonly #onExpired: LeaseOptions["onExpired"];
  readonly #leases = new Map<string, Lease>();
  /** Ends of expired leases that nobody has dropped yet, on `Clock.monotonicMs`. */
  readonly #ended = new Map<string, number>();
  readonly #ends = new ExpiryQueue<Lease>();
  /** Rings when a lease with an earlier end is added. */
  readonly #signal = new Signal();

  constructor({ world, onExpired }: LeaseOptions) {
    this.#world = world;
    this.#onExpired = onExpired;
    world.scope.spawn("leases", (scope) => this.#run(scope));
  }

  has(name: string): boolean {
    return this.#leases.has(name);
  }

  /** A sign of life of `name`. */
  renew(name: string, ttlMs: number): void {
    this.#ended.delete(name);
    let lease = this.#leases.get(name);
    if (!lease) this.#leases.set(name, (lease = { name, endsAtMs: Infinity, slot: NO_SLOT }));
    lease.endsAtMs = this.#world.clock.monotonicMs() + ttlMs;
    if (this.#ends.schedule(lease)) this.#signal.ring();
  }

  /** Forgets the lease of `name`. */
  drop(name: string): void {
    this.#ended.delete(name);
    const lease = this.#leases.get(name);
    if (!lease) return;
    this.#leases.delete(name);
    this.#ends.drop(lease);
  }

  /**
   * The present ends of endpoints, on `Clock.wallMs`, rounded down; for an expired endpoint its past end until it is dropped. The
   * returned function is for many queries at one moment.
   */
  expirations(): (name: string) => number | undefined {
    const { clock } = this.#world;
    const offsetMs = clock.wallMs() - clock.monotonicMs();
    return (name) => {
      const endsAtMs = this.#leases.get(name)?.endsAtMs ?? this.#ended.get(name);
      return endsAtMs === undefined ? undefined : Math.floor(endsAtMs + offsetMs);
    };
  }

  async #run(scope: Scope): Promise<void> {
    const { clock } = this.#world;
    while (!scope.ended) {
      await this.#signal.wait(clock, scope, this.#ends.nextMs - clock.monotonicMs());
      await this.#expire(scope);
    }
  }

  async #expire(scope: Scope): Promise<void> {
    const ended = this.#ends.takeEnded(this.#world.clock.monotonicMs());
    for (const { name, endsAtMs } of ended) {
      this.#leases.delete(name);
      this.#ended.set(name, endsAtMs);
    }
    const names = ended.map(({ name }) => name);
    if (names.length > 0) await this.#onExpired(names, scope);
  }
}
