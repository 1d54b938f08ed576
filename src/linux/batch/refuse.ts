/** Makes the error of a refused operation. */
import type { ErrorCode } from "../../errors/errors.ts";
import { KernelError, type Operation } from "../../kernel/kernel.ts";
import { codeOfErrno, refusal } from "../../kernel/kernel-text.ts";

/** An operation and its number in the batch. */
export interface Job {
  readonly number: number;
  readonly operation: Operation;
}

export interface Reason {
  readonly reason: string;
  readonly hint?: string;
  /** Needed where the errno alone is not specific enough. */
  readonly code?: ErrorCode;
}

/** `add address 10.0.0.1/24 dev nl-1: EEXIST: address exists` */
export function refuseStep(job: Job, errno: string, because: string | Reason, cause?: unknown): KernelError {
  const {
    reason,
    hint,
    code = codeOfErrno(errno),
  } = typeof because === "string" ? { reason: because } : because;
  const { message } = refusal(job.operation, errno, reason);
  return new KernelError(code, message, {
    operation: job.number,
    errno,
    ...(hint !== undefined && { hint }),
    ...(cause !== undefined && { cause }),
  });
}
