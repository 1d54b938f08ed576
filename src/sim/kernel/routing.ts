/** Addresses of a simulated namespace. */
import type { SimDevice, SimNetns } from "./state.ts";

/** The address before the slash. */
export function hostPart(prefix: string): string {
  return prefix.slice(0, prefix.indexOf("/"));
}

/** Does a device of the namespace have this address? */
export function isOwnAddress(netns: SimNetns, address: string): boolean {
  for (const device of netns.devices.values())
    for (const entry of device.addresses) if (hostPart(entry.address) === address) return true;
  return false;
}

/** Prefixes that are on the link because of addresses, without a separate route. */
export function connectedPrefixes(device: SimDevice): string[] {
  return [...device.addresses]
    .filter((address) => !address.lacksRoute && (address.hasPeerRoute || address.peer === undefined))
    .map((address) => address.peer ?? address.address);
}
