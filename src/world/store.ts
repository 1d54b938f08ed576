/** Shared state of a registry. */
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

export interface PutOptions {
  /** The lease that the key lives by. */
  readonly lease?: string;
  /** Revision that the key must have; 0 means that it must not exist. ABORTED otherwise. */
  readonly expectedRevision?: number;
}

/** Shared state, modelled on etcd v3 (https://etcd.io/docs/v3.4/learning/api/): the weakest backend has to keep the same promise. */
export interface Store {
  get(key: string): Promise<StoreEntry | undefined>;
  /** Sorted by key, in code units. `revision` is the one to watch from. */
  list(prefix: string): Promise<{ readonly entries: readonly StoreEntry[]; readonly revision: number }>;
  /** Returns the new revision. NOT_FOUND if the lease is over. Without `lease` the key outlives the lease it had. */
  put(key: string, value: Uint8Array, options?: PutOptions): Promise<number>;
  /** Deleting what is not there is a success, unless `expectedRevision` says otherwise (ABORTED). */
  delete(key: string, options?: { readonly expectedRevision?: number }): Promise<void>;
  /** When the lease is over, by time or by `revokeLease`, its keys are deleted in one revision. */
  grantLease(ttlMs: number): Promise<string>;
  /** Makes the lease last its full time from now. NOT_FOUND if it is over. */
  keepAlive(lease: string): Promise<void>;
  revokeLease(lease: string): Promise<void>;
  /**
   * Every change after `revision`, in order, each once. FAILED_PRECONDITION if the store has forgotten changes since
   * then, UNAVAILABLE if it went away: list, and watch anew.
   */
  watch(prefix: string, revision: number): Watch<StoreEvent>;
}
