/** What addresses mean for a simulated namespace. */
import type { SimDevice, SimNetns } from "./state.ts";

/** The address before the slash. */
export function hostPart(prefix: string): string {
  return prefix.slice(0, prefix.indexOf("/"));
}

/** True if a device of the namespace has this address. */
export function isOwnAddress(netns: SimNetns, address: string): boolean {
  for (const device of netns.devices.values())
    for (const entry of device.addresses) if (hostPart(entry.address) === address) return true;
  return false;
}

/** What addresses put on the link without a route of their own. */
export function connectedPrefixes(device: SimDevice): string[] {
  return [...device.addresses]
    .filter((address) => !address.lacksRoute && (address.hasPeerRoute || address.peer === undefined))
    .map((address) => address.peer ?? address.address);
}
