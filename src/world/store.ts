/** The shared state of registries. */
import type { Watch } from "../async/watch.ts";

export interface StoreEntry {
  readonly key: string;
  readonly value: Uint8Array;
  /** The store-wide revision of the last change to this key. */
  readonly revision: number;
}

export type StoreEvent =
  | { readonly type: "put"; readonly entry: StoreEntry }
  | { readonly type: "delete"; readonly key: string; readonly revision: number };

/** A lease. When it expires, all keys attached to it are deleted in one revision, whoever has put them. */
export interface Lease {
  /** The identity of the lease: the same name means the same lease. */
  readonly name: string;
  readonly ttlMs: number;
}

export interface PutOptions {
  /**
   * The lease to attach the key to. The first key put under a lease starts it, each further key renews it for its full
   * time, and the lease keeps its initial TTL. Without `lease` the key is detached from its lease.
   */
  readonly lease?: Lease;
  /**
   * The revision that the key must have; 0 means that the key must not exist. Otherwise the call fails with ABORTED and
   * changes nothing.
   */
  readonly expectedRevision?: number;
}

/**
 * Shared state, modelled on etcd v3 (https://etcd.io/docs/v3.4/learning/api/), because every backend must keep the same
 * guarantees. Leases have names instead of numbers, so that a caller can name one without asking the store. An etcd store
 * derives the number from a hash of the name.
 */
export interface Store {
  get(key: string): Promise<StoreEntry | undefined>;
  /** Sorted by key, in UTF-16 code units. Watch from `revision` to miss no change. */
  list(prefix: string): Promise<{ readonly entries: readonly StoreEntry[]; readonly revision: number }>;
  /** Returns the new revision. */
  put(key: string, value: Uint8Array, options?: PutOptions): Promise<number>;
  /**
   * Returns a revision of the store at which the key is absent. Deleting an absent key succeeds, unless `expectedRevision`
   * says otherwise (ABORTED).
   */
  delete(key: string, options?: { readonly expectedRevision?: number }): Promise<number>;
  /** Renews a lease for its full TTL, and returns the TTL. No watch event. NOT_FOUND if the lease has expired. */
  keepAlive(lease: string): Promise<number>;
  /**
   * Every change after `revision`, in order, each once. FAILED_PRECONDITION if the store no longer has the changes since
   * then, UNAVAILABLE if it is gone: list, then watch again.
   */
  watch(prefix: string, revision: number): Watch<StoreEvent>;
}
