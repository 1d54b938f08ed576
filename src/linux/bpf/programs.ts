/** Finds the `wire` programs of devices: by a pin in a workload's namespace, or by the block of the host's devices. */
import * as k from "../netlink/constants.ts";
import { INGRESS_BLOCK } from "../netlink/ingress-block.ts";
import { decodeQdisc, getQdisc } from "../netlink/qdisc.ts";
import type { NetnsInode } from "../namespaces/netns.ts";
import type { NetnsPlace } from "../namespaces/place.ts";

/**
 * The pin of a device: `4026534093-1234567`, the inode of the namespace and the index of the device, so that it is found
 * even when the device is gone.
 */
export function pinName(netns: NetnsInode, linkIndex: number): string {
  return `${netns.slice(netns.lastIndexOf("/") + 1)}-${linkIndex}`;
}

/** Do frames that enter a device of the host pass the program? */
export function hasIngressBlock(place: NetnsPlace, linkIndex: number): boolean {
  const qdisc = place.socket.get(getQdisc(linkIndex, k.TC_H_CLSACT), decodeQdisc, [
    "ENOENT",
    "EINVAL",
    "ENODEV",
  ]);
  return qdisc?.ingressBlock === INGRESS_BLOCK;
}
