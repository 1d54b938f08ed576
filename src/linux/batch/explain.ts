/** Explains a refusal of the kernel: by its own message if there is one, otherwise by the meaning of the errno. */
import { NetloomError } from "../../errors/errors.ts";
import { KernelError, type KernelObject } from "../../kernel/kernel.ts";
import { describeOperation } from "../../kernel/kernel-text.ts";
import type { Ack } from "../netlink/message-reader.ts";
import type { BatchTools } from "../object-kind.ts";
import { linuxKindOf } from "../objects.ts";
import { type Explanation, type Job, refuseStep } from "./refuse.ts";

const WORDS: Readonly<Record<string, string>> = {
  ENODEV: "there is no such device",
  ENETDOWN: "the device is down",
  ENETUNREACH: "the next hop is not on the link",
  EHOSTUNREACH: "the next hop is not on the link",
  EADDRNOTAVAIL: "the address cannot be used here",
  EINVAL: "the kernel takes it for invalid",
  ENOBUFS: "the kernel is out of memory",
  ENOENT: "there is no such thing",
};

/** `tools`: the tools of the batch, if the batch itself was refused. */
export function explanationOf(
  errno: string,
  ack: Ack,
  object: KernelObject,
  tools?: BatchTools,
): Explanation {
  const known = linuxKindOf(object).explain?.({ errno, ack, object, tools });
  if (known) return known;
  if (errno === "EPERM" || errno === "EACCES") return { reason: "not permitted", hint: "run as root" };
  if (errno === "EEXIST") return { reason: `${object.kind} exists` };
  const words = ack.message ?? WORDS[errno] ?? "the kernel refused";
  return { reason: words.charAt(0).toLowerCase() + words.slice(1).replace(/\.$/, "") };
}

/** Turns an error of a lower layer into the refusal of an operation. Returns bugs and existing refusals unchanged. */
export function restate(job: Job, error: unknown): unknown {
  if (error instanceof NetloomError) {
    const errno = error instanceof KernelError ? error.errno : undefined;
    if (error instanceof KernelError && error.operation === job.number) return error;
    const hint = error.hint !== undefined && { hint: error.hint };
    if (errno === undefined) {
      const message = `${describeOperation(job.operation)}: ${error.message}`;
      return new KernelError(error.code, message, { operation: job.number, cause: error, ...hint });
    }
    const { words, at } = error as KernelError;
    const known = explanationOf(errno, { errno: 0 }, job.operation.object);
    const own = words === undefined ? {} : { reason: words };
    return refuseStep(job, errno, { ...known, ...own, ...hint, code: error.code, at }, error);
  }
  const errno = error instanceof Error && "code" in error ? String(error.code) : "";
  if (!/^E[A-Z0-9]+$/.test(errno)) return error;
  return refuseStep(job, errno, explanationOf(errno, { errno: 0 }, job.operation.object), error);
}
