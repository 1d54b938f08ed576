/** Messages between a store and its database thread: plain data, with many operations to a message. */
import type { ErrorCode, Topic } from "../../errors/errors.ts";
import type { Lease, StoreEvent } from "../../world/store.ts";

export type StoreOperation =
  | { readonly type: "get"; readonly key: string }
  | { readonly type: "list"; readonly prefix: string }
  /** No operation of its own. As in every batch, changes by other processes are reported and due leases end. */
  | { readonly type: "look" }
  | {
      readonly type: "put";
      readonly key: string;
      readonly value: Uint8Array;
      readonly lease: Lease | undefined;
      readonly expectedRevision: number | undefined;
    }
  | { readonly type: "delete"; readonly key: string; readonly expectedRevision: number | undefined }
  | { readonly type: "keep-alive"; readonly lease: string };

export interface StoreBatch {
  /** Monotonic time of the host, shared by all processes that have the file open. */
  readonly nowMs: number;
  /** Leases that were renewed in memory only, by name, with their new ends. */
  readonly renewals: ReadonlyMap<string, number>;
  readonly operations: readonly StoreOperation[];
}

export interface Row {
  readonly key: string;
  readonly value: Uint8Array;
  readonly revision: number;
}

export interface BatchRefusal {
  readonly type: "refused";
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string;
  readonly topic?: Topic;
}

export type BatchOutcome =
  | { readonly type: "rows"; readonly rows: readonly Row[]; readonly revision: number }
  | { readonly type: "looked" }
  /** `ttlMs` is the time to live of the lease, if there is one. */
  | { readonly type: "put"; readonly revision: number; readonly ttlMs: number | undefined }
  | { readonly type: "deleted"; readonly isChange: boolean; readonly revision: number }
  | { readonly type: "kept"; readonly ttlMs: number }
  | BatchRefusal;

export interface Reply {
  /**
   * Changes by other processes since the last reply, and keys of expired leases, in order. All of them precede the
   * operations.
   */
  readonly news: readonly StoreEvent[];
  /** Set if the file no longer has all changes by other processes: `news` begins after this revision. */
  readonly forgotten: number | undefined;
  /** One outcome for each operation. */
  readonly outcomes: readonly BatchOutcome[];
  /** The renewals whose leases had already expired. */
  readonly lost: readonly string[];
  /** The end of the next lease to expire, on the host's monotonic time; `Infinity` without leases. */
  readonly nextEndMs: number;
  /** True if the renewals are in the file and the due leases have ended. */
  readonly isTended: boolean;
}

export interface Database {
  /** The revision of the file when it was opened. */
  readonly revision: number;
  /**
   * Runs the operations in order, in one transaction, and resolves when the transaction is on disk. If the disk is full,
   * every write is refused, and reads are still answered. Renewals alone do not wait for the disk.
   */
  run(batch: StoreBatch): Promise<Reply>;
  close(): Promise<void>;
}
