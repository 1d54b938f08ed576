/** What this machine says of the network between the hosts. */
import { readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { canonicalIp, parseIp } from "../../net/ip.ts";
import { NetloomError } from "../../world/errors.ts";

/** INVALID_ARGUMENT for what is no address, or none of this host. */
export function checkOwnAddress(option: string, text: string): string {
  if (!parseIp(text)) {
    throw new NetloomError("INVALID_ARGUMENT", `${option} ${text}: it is no IP address`);
  }
  const address = canonicalIp(text);
  if (deviceOf(address) !== undefined) return address;
  const own = Object.values(networkInterfaces()).flatMap((each) =>
    (each ?? []).flatMap(({ address: one, internal }) => (internal ? [] : [one])),
  );
  throw new NetloomError("INVALID_ARGUMENT", `${option} ${text}: this host has no such address`, {
    hint: own.length > 0 ? `its addresses are ${own.join(", ")}` : "it has no addresses",
  });
}

/** The MTU of the device with this address; 1500 if it cannot be read. */
export function underlayMtu(address: string | undefined): number {
  const device = address === undefined ? undefined : deviceOf(address);
  if (device === undefined) return 1500;
  try {
    // Of all files that know an MTU this one is of the namespace of the process that reads it.
    return Number(readFileSync(`/proc/sys/net/ipv6/conf/${device}/mtu`, "utf8")) || 1500;
  } catch {
    return 1500;
  }
}

function deviceOf(address: string): string | undefined {
  return Object.entries(networkInterfaces()).find(([, each]) =>
    each?.some((one) => canonicalIp(one.address.split("%")[0] ?? "") === address),
  )?.[0];
}
