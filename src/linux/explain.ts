/** Why the kernel refused: its own words where it has some, else what it can be found to mean. */
import type { ErrorCode } from "../errors/errors.ts";
import type { KernelObject, Vxlan, OwnerMark } from "../kernel/kernel.ts";
import type { Link } from "./netlink/link-decode.ts";
import { decodeLink } from "./netlink/link-decode.ts";
import { dumpLinks } from "./netlink/link.ts";
import type { Ack } from "./netlink/message-reader.ts";
import type { Place } from "./place.ts";

export interface Reason {
  readonly reason: string;
  readonly hint?: string;
  /** Where the errno alone says too little. */
  readonly code?: ErrorCode;
}

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

export function reasonOf(errno: string, ack: Ack, object: KernelObject): Reason {
  if (errno === "EROFS" && object.kind === "sysctl")
    return {
      reason: "/proc/sys is read-only on this host",
      hint: "run netloom where it can be written: mount -o remount,rw /proc/sys, or a container with --privileged",
      code: "FAILED_PRECONDITION",
    };
  if (errno === "EPERM" || errno === "EACCES") return { reason: "not permitted", hint: "run as root" };
  if (errno === "EEXIST") return { reason: `${object.kind} exists` };
  const missing = missingFeature(errno, ack, object);
  if (missing !== undefined)
    return { reason: `this kernel has no ${missing}`, hint: "run netloom doctor", code: "UNIMPLEMENTED" };
  const words = ack.message ?? WORDS[errno] ?? "the kernel refused";
  return { reason: words.charAt(0).toLowerCase() + words.slice(1).replace(/\.$/, "") };
}

/** What an errno says when the kernel was built without a driver. A qdisc that is missing is ENOENT. */
function missingFeature(errno: string, ack: Ack, object: KernelObject): string | undefined {
  if (object.kind === "qdisc")
    return errno === "ENOENT" || errno === "EOPNOTSUPP" ? object.shape.type : undefined;
  if (errno !== "EOPNOTSUPP" || (ack.message !== undefined && !/unknown device type/i.test(ack.message)))
    return undefined;
  if (object.kind === "vxlan") return "VXLAN";
  return object.kind === "veth" ? object.kind : undefined;
}

/** Whose device it is that has a name that is wanted. */
export function existingDevice(link: Link, mark: OwnerMark): string {
  return `device ${link.name} exists, ${ownerOf(link, mark)}`;
}

/** Which device of these namespaces has the VNI of `tunnel`. */
export function existingVni(tunnel: Vxlan, places: readonly Place[], mark: OwnerMark): string | undefined {
  for (const place of new Set(places)) {
    const links = place.socket.dump(dumpLinks({ kind: "vxlan" }), (message) => decodeLink(message));
    const holder = links.find(({ vxlan }) => vxlan?.vni === tunnel.vni && vxlan.port === tunnel.port);
    if (holder)
      return `VNI ${tunnel.vni} on port ${tunnel.port} is taken by device ${holder.name}, ${ownerOf(holder, mark)}`;
  }
  return `VNI ${tunnel.vni} on port ${tunnel.port} is taken by a device in another namespace`;
}

/**
 * Why a tunnel device cannot be set up on its port. A device that takes its tunnels from elsewhere (metadata mode, as OVS and
 * Cilium make one) has a socket that no other device can share, and so has a program.
 */
export function takenPort(port: number, host: Place, mark: OwnerMark): Reason {
  const links = host.socket.dump(dumpLinks({ kind: "vxlan" }), (message) => decodeLink(message));
  const holder = links.find(
    ({ vxlan, group }) => vxlan?.port === port && vxlan.hasOwnSocket && group !== mark.group,
  );
  const who = holder
    ? `the VXLAN device ${holder.name}, which is not ours and shares its port with no other`
    : "a program of this host";
  return {
    reason: `UDP port ${port} is taken by ${who}`,
    hint: "give the agents of all hosts another port: netloom agent --vxlan-port PORT; netloom doctor says who has this one",
    code: "FAILED_PRECONDITION",
  };
}

function ownerOf(link: Link, mark: OwnerMark): string {
  if (link.group === mark.group) return `one of ours (${link.alias ?? "without an owner"})`;
  return `which is not ours (${link.kind ?? "hardware"})`;
}
