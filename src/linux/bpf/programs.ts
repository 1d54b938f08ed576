/** How the `wire` programs of devices are found: by a pin, in a workload's namespace, or by the block of the host's devices. */
import * as k from "../netlink/constants.ts";
import { INGRESS_BLOCK } from "../netlink/ingress-block.ts";
import { decodeQdisc, getQdisc } from "../netlink/qdisc.ts";
import type { NetnsInode } from "../namespaces/netns.ts";
import type { NetnsPlace } from "../namespaces/place.ts";

/** `4026534093-1234567`: inode of the namespace, index of the device. So it is found also when the device is gone. */
export function pinName(netns: NetnsInode, linkIndex: number): string {
  return `${netns.slice(netns.lastIndexOf("/") + 1)}-${linkIndex}`;
}

/** Whether what enters a device of the host passes the program. */
export function hasIngressBlock(place: NetnsPlace, linkIndex: number): boolean {
  const qdisc = place.socket.get(getQdisc(linkIndex, k.TC_H_CLSACT), decodeQdisc, [
    "ENOENT",
    "EINVAL",
    "ENODEV",
  ]);
  return qdisc?.ingressBlock === INGRESS_BLOCK;
}
