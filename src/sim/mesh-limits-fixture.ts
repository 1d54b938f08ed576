/**
 * What holds in a mesh while faults happen: limits of simulated time, looked at again and again. ARCHITECTURE.md states them
 * ("Leases by host").
 */
import type { Keys } from "../world/world.ts";
import type { Store } from "../world/store.ts";
import { LONGEST_PAUSE_MS } from "../async/backoff.ts";
import { REQUEST_MS } from "../agent/parts.ts";
import { MAX_LATE_MS } from "./faults.ts";
import { LEASE_MS } from "./mesh-agent-fixture.ts";

const LIMITS = {
  /**
   * From the death of a host until its records are gone: the lease, what the store in memory takes, and two messages that were on
   * their way as late as a fault makes them, to a registry and from there to the store.
   */
  goneMs: LEASE_MS + 200 + 2 * (MAX_LATE_MS + 10),
  /**
   * From the last fault until wanted wires pass packets, and do so from then on: a request that waits for an answer that was lost
   * takes all its time, and then the longest pause before the next.
   */
  readyMs: REQUEST_MS + LONGEST_PAUSE_MS,
} as const;

/** One process of a host, from its start to its death. */
interface Life {
  readonly host: string;
  diedMs: number | undefined;
  /** The lease that it has begun last; empty before the first. */
  lease: string;
}

export class MeshLimits {
  readonly #broken = new Set<string>();
  readonly #alive = new Map<string, Life>();
  /** By what they have drawn: the last part of a lease's name says whose it is. */
  readonly #lifeOf = new Map<string, Life>();
  /** Which lease each record lives by, by its key. */
  readonly #leaseOf = new Map<string, string>();
  readonly #begun = new Set<string>();
  #store: Store | undefined;
  /** Since when nothing disturbs. Never, as long as faults may strike. */
  #calmMs = Infinity;

  /** For people. Empty: nothing has been too late so far. */
  get violations(): readonly string[] {
    return [...this.#broken];
  }

  /** `store`, of which is noted which record lives by which lease. */
  noting(store: Store): Store {
    this.#store = store;
    return {
      get: (key) => store.get(key),
      list: (prefix) => store.list(prefix),
      watch: (prefix, revision) => store.watch(prefix, revision),
      keepAlive: (lease) => store.keepAlive(lease),
      put: async (key, value, options) => {
        const revision = await store.put(key, value, options);
        if (options?.lease) this.#put(key, options.lease.name);
        return revision;
      },
      delete: async (key, options) => {
        const revision = await store.delete(key, options);
        this.#leaseOf.delete(key);
        return revision;
      },
    };
  }

  /** The keys of a new process of `host`, which disturbs the others once more. */
  begins(host: string, keys: Keys, nowMs: number): Keys {
    if (this.#calmMs < nowMs) this.#calmMs = nowMs;
    const life: Life = { host, diedMs: undefined, lease: "" };
    this.#alive.set(host, life);
    return {
      digest: (data) => keys.digest(data),
      publicKey: () => keys.publicKey(),
      sign: (data) => keys.sign(data),
      verify: (data, signature, publicKey) => keys.verify(data, signature, publicKey),
      uuid: () => {
        const drawn = keys.uuid();
        this.#lifeOf.set(drawn, life);
        return drawn;
      },
    };
  }

  dies(host: string, nowMs: number): void {
    const life = this.#alive.get(host);
    if (life) life.diedMs = nowMs;
    this.#alive.delete(host);
  }

  /** The last fault has struck. */
  calms(nowMs: number): void {
    this.#calmMs = nowMs;
  }

  /** Looks at all records, and at the wires that do not work now. To be called several times a second. */
  async look(nowMs: number, unready: () => readonly string[]): Promise<void> {
    const { entries = [] } = (await this.#store?.list("")) ?? {};
    const there = new Set(entries.map(({ key }) => key));
    for (const [key, lease] of this.#leaseOf) {
      const isThere = there.has(key);
      if (!isThere) this.#leaseOf.delete(key);
      const life = this.#lifeOf.get(uuidOf(lease));
      if (!life) continue;
      const { host, diedMs } = life;
      if (!isThere && diedMs === undefined && life.lease === lease)
        this.#broken.add(`${key} has expired, and ${host} lives`);
      if (isThere && diedMs !== undefined && nowMs - diedMs > LIMITS.goneMs)
        this.#broken.add(`${key} is there ${LIMITS.goneMs} ms after the death of ${host}`);
    }
    if (nowMs - this.#calmMs <= LIMITS.readyMs) return;
    for (const problem of unready()) this.#broken.add(`${LIMITS.readyMs} ms after the last fault ${problem}`);
  }

  #put(key: string, lease: string): void {
    this.#leaseOf.set(key, lease);
    const life = this.#lifeOf.get(uuidOf(lease));
    if (life && !this.#begun.has(lease)) life.lease = lease;
    this.#begun.add(lease);
  }
}

/** An agent names its lease after itself, and ends it with what its process has drawn. */
function uuidOf(lease: string): string {
  return lease.slice(lease.lastIndexOf("/") + 1);
}
