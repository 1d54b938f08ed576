/** What crosses between a store and the thread that has its database: plain data, many to a message. */
import type { ErrorCode, Topic } from "../../errors/errors.ts";
import type { Lease, StoreEvent } from "../../world/store.ts";

export type StoreOperation =
  | { readonly type: "get"; readonly key: string }
  | { readonly type: "list"; readonly prefix: string }
  /** Nothing but what every batch does: tell what others have changed, and end leases that are due. */
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
  /** Monotonic time of the host, which all processes that have the file open share. */
  readonly nowMs: number;
  /** Leases that were kept alive in memory only, by name, and when they end now. */
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
  /** `ttlMs` is that of the lease, if there is one. */
  | { readonly type: "put"; readonly revision: number; readonly ttlMs: number | undefined }
  | { readonly type: "deleted"; readonly isChange: boolean; readonly revision: number }
  | { readonly type: "kept"; readonly ttlMs: number }
  | BatchRefusal;

export interface Reply {
  /** Changes of others since the last reply and keys of leases that have ended, in order. All before the operations. */
  readonly news: readonly StoreEvent[];
  /** Others have changed more than the file remembers: `news` begins after this revision. */
  readonly forgotten: number | undefined;
  /** One for each operation. */
  readonly outcomes: readonly BatchOutcome[];
  /** Of the renewals, leases that were over. */
  readonly lost: readonly string[];
  /** When the next lease ends, on the host's monotonic time; `Infinity` without leases. */
  readonly nextEndMs: number;
  /** Whether renewals are in the file, and leases that were due have ended. */
  readonly isTended: boolean;
}

export interface Database {
  /** Of the file when it was opened. */
  readonly revision: number;
  /**
   * Runs the operations in order, in one transaction, and resolves when it is on the disk. If the disk does not take it,
   * every operation that writes is refused, and those that read are answered all the same. Renewals alone do not wait
   * for the disk.
   */
  run(batch: StoreBatch): Promise<Reply>;
  close(): Promise<void>;
}
