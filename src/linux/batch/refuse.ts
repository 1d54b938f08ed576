/** Makes the error of a refused operation. */
import type { ErrorCode } from "../../errors/errors.ts";
import type { Reason } from "../../errors/reasons.ts";
import { KernelError, type KernelPlace, type Operation } from "../../kernel/kernel.ts";
import { codeOfErrno, refusal } from "../../kernel/kernel-text.ts";

/** An operation and its number in the batch. */
export interface Job {
  readonly number: number;
  readonly operation: Operation;
}

/** The reason of a refusal, in words and as data. */
export interface Explanation {
  readonly reason: string;
  readonly hint?: string;
  /** Needed where the errno alone is not specific enough. */
  readonly code?: ErrorCode;
  /** As of `KernelErrorDetails`. */
  readonly at?: KernelPlace | undefined;
  /** Default: KERNEL_REFUSED. */
  readonly data?: Reason;
}

/** `add address 10.0.0.1/24 dev nl-1: EEXIST: address exists` */
export function refuseStep(
  job: Job,
  errno: string,
  because: string | Explanation,
  cause?: unknown,
): KernelError {
  const {
    reason,
    hint,
    code = codeOfErrno(errno),
    at,
    data,
  } = typeof because === "string" ? { reason: because } : because;
  const { message } = refusal(job.operation, errno, reason);
  return new KernelError(code, message, {
    operation: job.number,
    errno,
    words: reason,
    reason: data,
    ...(at && { at }),
    hint,
    ...(cause !== undefined && { cause }),
  });
}
