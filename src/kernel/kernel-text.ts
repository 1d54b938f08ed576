/** Error messages of a `Kernel`, shared by all implementations, so that the simulated and the real kernel say the same. */
import type { ErrorCode } from "../errors/errors.ts";
import { type KernelErrorDetails, type KernelObject, KernelError, type Operation } from "./kernel.ts";
import { kindOf } from "./objects.ts";

/** The error code for a kernel errno. INTERNAL for an unexpected errno. */
export function codeOfErrno(errno: string): ErrorCode {
  switch (errno) {
    case "EEXIST":
      return "ALREADY_EXISTS";
    case "ENOENT":
    case "ENODEV":
    case "ESRCH":
      return "NOT_FOUND";
    case "EPERM":
    case "EACCES":
      return "PERMISSION_DENIED";
    case "EINVAL":
    case "ERANGE":
    case "EADDRNOTAVAIL":
      return "INVALID_ARGUMENT";
    case "EBUSY":
    case "ENETDOWN":
    case "ENETUNREACH":
    case "EHOSTUNREACH":
      return "FAILED_PRECONDITION";
    case "ENOBUFS":
    case "ENOMEM":
    case "ENOSPC":
    case "E2BIG":
    case "EMFILE":
      return "RESOURCE_EXHAUSTED";
    case "EOPNOTSUPP":
    case "EPROTONOSUPPORT":
    case "EAFNOSUPPORT":
      return "UNIMPLEMENTED";
    default:
      return "INTERNAL";
  }
}

/** The error of one operation: `add route 10.0.0.0/24 via 10.1.0.1 dev nl-1: EEXIST: route exists`. */
export function refusal(
  operation: Operation,
  errno: string,
  words: string,
  details: Omit<KernelErrorDetails, "errno" | "words"> = {},
): KernelError {
  const message = `${describeOperation(operation)}: ${errno}: ${words}`;
  return new KernelError(codeOfErrno(errno), message, { ...details, errno, words });
}

/**
 * Describes an operation: `add route 10.0.0.0/24 via 10.1.0.1 dev nl-1 in file:///run/netns/a`. The namespace `host` is
 * omitted.
 */
export function describeOperation(operation: Operation): string {
  return `${operation.verb} ${describeObject(operation.object)}`;
}

/** Describes the kind and identity of an object, in the words of iproute2. */
export function describeObject(object: KernelObject): string {
  return kindOf(object).describe(object);
}
