/** Words a refusal, whatever layer it comes from, as that of the operation. */
import { NetloomError } from "../errors/errors.ts";
import { KernelError, type Operation } from "../kernel/kernel.ts";
import { codeOfErrno, describeOperation, refusal } from "../kernel/kernel-text.ts";
import { type Reason, reasonOf } from "./explain.ts";

/** An operation and its number in the batch. */
export interface Job {
  readonly number: number;
  readonly operation: Operation;
}

/** `add address 10.0.0.1/24 dev nl-1: EEXIST: address exists` */
export function refuse(job: Job, errno: string, because: string | Reason, cause?: unknown): KernelError {
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

/** An error from below, as the refusal of an operation. What is no operating error stays as it is. */
export function restate(job: Job, error: unknown): unknown {
  if (error instanceof NetloomError) {
    const errno = error instanceof KernelError ? error.errno : undefined;
    const details = {
      operation: job.number,
      cause: error,
      ...(error.hint !== undefined && { hint: error.hint }),
    };
    if (errno === undefined)
      return new KernelError(error.code, `${describeOperation(job.operation)}: ${error.message}`, details);
    const [, words] = error.message.split(`${errno}: `);
    const known = reasonOf(errno, { errno: 0 }, job.operation.object);
    return refuse(
      job,
      errno,
      { ...known, ...(words !== undefined && { reason: words }), code: error.code },
      error,
    );
  }
  const errno = error instanceof Error && "code" in error ? String(error.code) : "";
  if (!/^E[A-Z0-9]+$/.test(errno)) return error;
  return refuse(job, errno, reasonOf(errno, { errno: 0 }, job.operation.object), error);
}
