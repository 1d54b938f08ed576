/** How every carrier of a `Kernel` words its refusals, so that the simulated and the real kernel say the same. */
import type { ErrorCode } from "../errors/errors.ts";
import {
  type KernelErrorDetails,
  type KernelObject,
  KernelError,
  type Netns,
  type Operation,
  type Sysctl,
} from "./kernel.ts";

/** What an errno of the kernel means to a caller. INTERNAL for one that we do not expect. */
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

/** The refusal of one operation: `add route 10.0.0.0/24 via 10.1.0.1 dev nl-1: EEXIST: route exists`. */
export function refusal(
  operation: Operation,
  errno: string,
  reason: string,
  details: Omit<KernelErrorDetails, "errno"> = {},
): KernelError {
  const message = `${describeOperation(operation)}: ${errno}: ${reason}`;
  return new KernelError(codeOfErrno(errno), message, { ...details, errno });
}

/** `add route 10.0.0.0/24 via 10.1.0.1 dev nl-1 in file:///run/netns/a`; the namespace `host` goes unsaid. */
export function describeOperation(operation: Operation): string {
  return `${operation.verb} ${describeObject(operation.object)}`;
}

/** Kind and identity of an object, in the words of iproute2. */
export function describeObject(object: KernelObject): string {
  switch (object.kind) {
    case "veth":
      return `veth ${object.ends.map((end) => `${end.name}${inside(end.netns)}`).join(" and ")}`;
    case "vxlan":
      return `vxlan ${object.name} vni ${object.vni}${inside(object.netns)}`;
    case "up":
      return `up ${object.link}${inside(object.netns)}`;
    case "address":
      return `address ${object.address}${given("peer", object.peer)} dev ${object.link}${inside(object.netns)}`;
    case "route":
      return `route ${object.destination}${given("via", object.via)} dev ${object.link}${given("table", object.table)}${inside(object.netns)}`;
    case "rule":
      return `rule pref ${object.priority}${given("from", object.from)}${given("to", object.to)} lookup ${object.table}${inside(object.netns)}`;
    case "neighbor":
      return `neighbor ${object.address} lladdr ${object.mac} dev ${object.link}${inside(object.netns)}`;
    case "program":
      return `program ${object.verdict}${given("to", object.target)} on ${object.link}${inside(object.netns)}`;
    case "qdisc":
      return `qdisc ${object.shape.type} dev ${object.link}${inside(object.netns)}`;
    case "sysctl":
    default:
      return `sysctl ${settingsOf(object)
        .map(([name, value]) => `${name}=${value}`)
        .join(" ")}${inside(object.netns)}`;
  }
}

/** Paths below /proc/sys, each with its value. */
export function settingsOf({ link = "%", values }: Sysctl): (readonly [name: string, value: string])[] {
  return Object.entries(values).map(([path, value]) => [path.replace("%", link), value]);
}

function given(word: string, value: string | number | undefined): string {
  return value === undefined ? "" : ` ${word} ${value}`;
}

function inside(netns: Netns): string {
  return netns === "host" ? "" : ` in ${netns}`;
}
