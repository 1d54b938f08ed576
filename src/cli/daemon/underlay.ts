/** What this machine says of the network between the hosts. */
import { networkInterfaces } from "node:os";
import { canonicalIp, mustParseIp, parseIp } from "../../net/ip.ts";
import { isLinkLocal } from "../../net/link-local.ts";
import { NetloomError } from "../../errors/errors.ts";

/** Waits for addresses that the kernel still looks for on the link, as after a boot, and says so. */
export async function awaitAddresses(
  addresses: readonly string[],
  log: { readonly info: (message: string) => void },
): Promise<void> {
  if (!addresses.some((each) => each.includes(":"))) return;
  const { awaitOwnAddresses } = await import("../../linux/machine/own-addresses.ts");
  await awaitOwnAddresses(addresses, {
    onWait: (tentative) =>
      log.info(
        `waiting for ${tentative.join(", ")}: the kernel looks whether another host on the link has it`,
      ),
  });
}

/** The host of a listener's URL; none for a socket. */
export function addressesOfUrl(url: string): string[] {
  const host = /^tcp:\/\/\[?([^\]]*)\]?:\d+$/.exec(url)?.[1];
  return host === undefined ? [] : [host];
}

/** Those of `--tunnel-ip`: INVALID_ARGUMENT for what is no address, none of this host, or a second one of its family. */
export function checkTunnelAddresses(given: readonly string[]): readonly string[] {
  const read = given.map((each) => readAddress("--tunnel-ip", each));
  for (const [index, address] of read.entries()) {
    const first = read.slice(0, index).find((each) => each.includes(":") === address.includes(":"));
    if (first !== undefined)
      throw new NetloomError(
        "INVALID_ARGUMENT",
        `--tunnel-ip ${address}: there is one of its family already, ${first}`,
        { hint: "give one of IPv4, one of IPv6, or one of each" },
      );
  }
  for (const address of read) checkOwnAddress("--tunnel-ip", address);
  return read;
}

function readAddress(option: string, text: string): string {
  if (parseIp(text)) return canonicalIp(text);
  throw new NetloomError("INVALID_ARGUMENT", `${option} ${text}: it is no IP address`);
}

/** INVALID_ARGUMENT for what is of no use between hosts, or none of this host. */
function checkOwnAddress(option: string, address: string): void {
  if (isOnlyHere(address)) {
    throw new NetloomError("INVALID_ARGUMENT", `${option} ${address}: no other host can reach this address`, {
      hint: "give the address under which the other hosts reach this one",
    });
  }
  if (deviceOf(address) !== undefined) return;
  const own = Object.values(networkInterfaces()).flatMap((each) =>
    (each ?? []).flatMap(({ address: one, internal }) => (internal ? [] : [one])),
  );
  throw new NetloomError("INVALID_ARGUMENT", `${option} ${address}: this host has no such address`, {
    hint: own.length > 0 ? `its addresses are ${own.join(", ")}` : "it has no addresses",
  });
}

/** Loopback, unspecified, link-local or multicast: of no use between hosts, or not without a link. */
function isOnlyHere(address: string): boolean {
  const { family, bytes } = mustParseIp(address);
  const [first = 0, second = 0] = bytes;
  if (family === 4)
    return first === 0 || first === 127 || (first >= 224 && first < 240) || (first === 169 && second === 254);
  return isLinkLocal(address) || first === 0xff || ["::", "::1"].includes(address);
}

function deviceOf(address: string): string | undefined {
  return Object.entries(networkInterfaces()).find(([, each]) =>
    each?.some((one) => canonicalIp(one.address.split("%")[0] ?? "") === address),
  )?.[0];
}
