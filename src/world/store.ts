/** Shared state of registries. */
import type { Watch } from "../async/watch.ts";

export interface StoreEntry {
  readonly key: string;
  readonly value: Uint8Array;
  /** Store-wide revision of the last change of this key. */
  readonly revision: number;
}

export type StoreEvent =
  | { readonly type: "put"; readonly entry: StoreEntry }
  | { readonly type: "delete"; readonly key: string; readonly revision: number };

/** What keys live by: when it is over, they are deleted in one revision, whoever has put them. */
export interface Lease {
  /** Whoever says the same name means the same lease. */
  readonly name: string;
  readonly ttlMs: number;
}

export interface PutOptions {
  /**
   * The lease that the key lives by. It begins with the first key that is put under it, lasts its full time from each,
   * and keeps the time that it began with. Without `lease` the key outlives the lease it had.
   */
  readonly lease?: Lease;
  /** Revision that the key must have; 0 means that it must not exist. ABORTED otherwise, and nothing is changed. */
  readonly expectedRevision?: number;
}

/**
 * Shared state, modelled on etcd v3 (https://etcd.io/docs/v3.4/learning/api/): the weakest backend has to keep the same
 * promise. Leases have names instead of numbers, so that whoever needs one knows it without asking: an etcd store makes
 * the number of a hash of the name.
 */
export interface Store {
  get(key: string): Promise<StoreEntry | undefined>;
  /** Sorted by key, in code units. `revision` is the one to watch from. */
  list(prefix: string): Promise<{ readonly entries: readonly StoreEntry[]; readonly revision: number }>;
  /** Returns the new revision. */
  put(key: string, value: Uint8Array, options?: PutOptions): Promise<number>;
  /**
   * Returns the revision of the store, in which the key is not there. Deleting what is not there is a success, unless
   * `expectedRevision` says otherwise (ABORTED).
   */
  delete(key: string, options?: { readonly expectedRevision?: number }): Promise<number>;
  /** Makes a lease last its full time from now, which it returns. No change, so no watch hears of it. NOT_FOUND if it is over. */
  keepAlive(lease: string): Promise<number>;
  /**
   * Every change after `revision`, in order, each once. FAILED_PRECONDITION if the store has forgotten changes since
   * then, UNAVAILABLE if it went away: list, and watch anew.
   */
  watch(prefix: string, revision: number): Watch<StoreEvent>;
}
