/** Messages between threads: requests to the kernel worker, its answers, and events. Plain data only. */
import { NetloomError, type ErrorCode } from "../../errors/errors.ts";
import {
  type AddressQuery,
  type ApplyOptions,
  type CounterQuery,
  detailsOf,
  KernelError,
  type KernelErrorDetails,
  type KernelEvent,
  type NativeQuery,
  type Netns,
  type ObserveQuery,
  type OnLink,
  type Operation,
  type WatchPurpose,
  type WayQuery,
  type OwnerMark,
} from "../../kernel/kernel.ts";
import type { Need } from "../../kernel/privileged.ts";

/** A program that outlives this process. */
export interface LastingProgram {
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Standard output and error are appended to this file. */
  readonly logFile: string;
}

/** State of the worker in shared memory, readable even when the worker is dead or busy. */
export interface WorkerMemory {
  /** The open descriptors of the worker, which outlive it. 0: none. */
  readonly ledger: Int32Array;
  /** The eventfd that ends the worker's reactor. 0: none. */
  readonly wakeup: Int32Array;
}

/** The settings of a kernel in the worker. */
export interface KernelSettings {
  /** The path of the namespace to use as `host`. */
  readonly hostPath: string;
  readonly bpffs: string;
  readonly mark: OwnerMark;
  /** False: all tunnel packets go through the kernel's own stack, where its rules apply. */
  readonly fastPath: boolean;
}

/** `kernel` is the number of the kernel in its `open` request. */
export type Request =
  | { readonly type: "open"; readonly kernel: number; readonly settings: KernelSettings }
  | { readonly type: "close"; readonly kernel: number }
  | {
      readonly type: "apply";
      readonly kernel: number;
      readonly batch: readonly Operation[];
      readonly options: ApplyOptions;
    }
  | { readonly type: "observe"; readonly kernel: number; readonly queries: readonly ObserveQuery[] }
  | {
      readonly type: "native-networks";
      readonly kernel: number;
      readonly queries: readonly NativeQuery[];
    }
  | { readonly type: "counters"; readonly kernel: number; readonly queries: readonly CounterQuery[] }
  | { readonly type: "devices"; readonly kernel: number; readonly queries: readonly OnLink[] }
  | { readonly type: "ways"; readonly kernel: number; readonly queries: readonly WayQuery[] }
  | { readonly type: "addresses"; readonly kernel: number; readonly queries: readonly AddressQuery[] }
  | { readonly type: "drops"; readonly kernel: number }
  | { readonly type: "resolve"; readonly kernel: number; readonly netns: Netns }
  | { readonly type: "settle"; readonly kernel: number }
  | { readonly type: "listen"; readonly kernel: number; readonly purpose: WatchPurpose | undefined }
  | { readonly type: "create-netns"; readonly path: string }
  | { readonly type: "remove-netns"; readonly path: string }
  | { readonly type: "descriptor"; readonly need: Need }
  | { readonly type: "device-towards"; readonly netns: Netns; readonly address: string }
  | { readonly type: "spawn"; readonly netns: Netns; readonly program: LastingProgram }
  | { readonly type: "end" };

export interface WorkerQuestion {
  readonly id: number;
  readonly request: Request;
}

/** Messages of the worker. An answer has the ID of its request. */
export type Post =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: ErrorData }
  | { readonly kernel: number; readonly events: readonly KernelEvent[] };

/** An error as data: structured cloning keeps no class. */
export interface ErrorData {
  readonly kind: "kernel" | "netloom" | "assertion";
  readonly code: ErrorCode;
  readonly message: string;
  readonly details?: KernelErrorDetails;
  readonly stack?: string;
}

export function errorToData(error: unknown): ErrorData {
  const stack = error instanceof Error && error.stack !== undefined ? { stack: error.stack } : {};
  if (!(error instanceof NetloomError))
    return {
      kind: "assertion",
      code: "INTERNAL",
      message: error instanceof Error ? error.message : String(error),
      ...stack,
    };
  return {
    kind: error instanceof KernelError ? "kernel" : "netloom",
    code: error.code,
    message: error.message,
    details: detailsOf(error),
    ...stack,
  };
}

/** Restores the error, with the stack of the worker as its cause. */
export function errorFromData(data: ErrorData): Error {
  const cause = { cause: data.stack };
  switch (data.kind) {
    case "kernel":
      return new KernelError(data.code, data.message, { ...data.details, ...cause });
    case "netloom":
      return new NetloomError(data.code, data.message, { ...data.details, ...cause });
    case "assertion":
    default:
      return new Error(data.message, cause);
  }
}
