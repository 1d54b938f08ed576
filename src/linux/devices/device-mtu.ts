import { readFileSync } from "node:fs";

/** MTU of a device in the namespace of this process; `undefined` if it cannot be read. Needs no privilege. */
export function deviceMtu(device: string): number | undefined {
  try {
    // Of all files that know an MTU this one is of the namespace of the process that reads it.
    return Number(readFileSync(`/proc/sys/net/ipv6/conf/${device}/mtu`, "utf8")) || undefined;
  } catch {
    return undefined;
  }
}
