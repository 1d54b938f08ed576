/** Checks and awaits the addresses of this machine that daemons use. */
import { canonicalIp, mustParseIp, parseIp } from "../../net/ip.ts";
import { whyNoTunnelEnd } from "../../net/unusable.ts";
import { NetloomError } from "../../errors/errors.ts";

/** Waits for addresses that are still in duplicate address detection, as after a boot, and logs the wait. */
export async function awaitAddresses(
  addresses: readonly string[],
  log: { readonly info: (message: string) => void },
): Promise<void> {
  if (!addresses.some((each) => each.includes(":"))) return;
  const { awaitOwnAddresses } = await import("../../linux/machine/own-addresses.ts");
  await awaitOwnAddresses(addresses, {
    onWait: (tentative) =>
      log.info(
        `waiting for ${tentative.join(", ")}: the kernel checks whether another host on the link has it`,
      ),
  });
}

/** The host in a listener's URL; none for a socket. */
export function addressesOfUrl(url: string): string[] {
  const host = /^tcp:\/\/\[?([^\]]*)\]?:\d+$/.exec(url)?.[1];
  return host === undefined ? [] : [host];
}

/**
 * The addresses of `--tunnel-ip`. INVALID_ARGUMENT for text that is not an address, an address that other hosts cannot
 * reach, or a second one of its family.
 */
export function checkTunnelAddresses(given: readonly string[]): readonly string[] {
  const read = given.map((each) => readAddress("--tunnel-ip", each));
  for (const [index, address] of read.entries()) {
    const first = read.slice(0, index).find((each) => each.includes(":") === address.includes(":"));
    if (first !== undefined)
      throw new NetloomError(
        "INVALID_ARGUMENT",
        `--tunnel-ip ${address}: its family has an address already, ${first}`,
        { hint: "give one of IPv4, one of IPv6, or one of each" },
      );
  }
  for (const address of read) {
    const what = whyNoTunnelEnd(mustParseIp(address));
    if (what !== undefined)
      throw new NetloomError(
        "INVALID_ARGUMENT",
        `--tunnel-ip ${address}: it is ${what}: no other host can reach it, or none beyond one link`,
        { hint: "give the address under which the other hosts reach this one" },
      );
  }
  return read;
}

function readAddress(option: string, text: string): string {
  if (parseIp(text)) return canonicalIp(text);
  throw new NetloomError("INVALID_ARGUMENT", `${option} ${text}: it is not an IP address`);
}
