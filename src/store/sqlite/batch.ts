/** What crosses between a store and the thread that has its database: plain data, many to a message. */
import type { ErrorCode, Topic } from "../../errors/errors.ts";

export type Operation =
  | { readonly type: "get"; readonly key: string }
  | { readonly type: "list"; readonly prefix: string }
  | {
      readonly type: "put";
      readonly key: string;
      readonly value: Uint8Array;
      readonly lease: string | null;
      readonly expectedRevision: number | undefined;
    }
  | { readonly type: "delete"; readonly key: string; readonly expectedRevision: number | undefined }
  | { readonly type: "grant-lease"; readonly ttlMs: number }
  | { readonly type: "end-lease"; readonly lease: string };

export interface Row {
  readonly key: string;
  readonly value: Uint8Array;
  readonly revision: number;
  readonly lease: string | null;
}

export interface Refusal {
  readonly type: "refused";
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string;
  readonly topic?: Topic;
}

export type Outcome =
  | { readonly type: "rows"; readonly rows: readonly Row[]; readonly revision: number }
  | { readonly type: "put"; readonly revision: number }
  /** In one revision, if there is any. */
  | { readonly type: "deleted"; readonly keys: readonly string[]; readonly revision: number }
  | { readonly type: "granted"; readonly lease: string }
  | Refusal;

/** What was there when the database was opened. */
export interface Opened {
  readonly revision: number;
  readonly leases: readonly { readonly lease: string; readonly ttlMs: number }[];
}

export interface Database {
  readonly opened: Opened;
  /**
   * Runs the operations in order, in one transaction, and resolves when it is on the disk. If the disk does not take it,
   * every operation that writes is refused, and those that read are answered all the same.
   */
  run(batch: readonly Operation[]): Promise<readonly Outcome[]>;
  close(): Promise<void>;
}
