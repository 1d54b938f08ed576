/** The prefixes of a workload's own network that no wire may bring: its addresses, the networks on its links, its gateways. */
import { addressBits, contains, mustParsePrefix, network, parseIp, type IpPrefix } from "../../net/ip.ts";
import type { NativeNetwork } from "../../kernel/kernel.ts";

/** Ranges that no wire uses anyway: left out of the result. */
const NEVER = ["127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "::/127", "fe80::/10", "ff00::/8"] as const;

/** A shorter on-link route is not a local network but a tunnel's route to everything. */
const SHORTEST = { 4: 8, 6: 16 } as const;

export function nativePrefixes({ addresses, routes }: NativeNetwork): IpPrefix[] {
  const never = NEVER.map(mustParsePrefix);
  const gateways = routes.flatMap(({ via = "" }) => parseIp(via) ?? []);
  const onLink = routes.filter(({ via }) => via === undefined).map(({ destination }) => destination);
  const networks = [...addresses, ...onLink].map(mustParsePrefix).map(network);
  return [
    ...networks.filter(({ address, length }) => length >= SHORTEST[address.family]),
    ...gateways.map((address) => ({ address, length: addressBits(address.family) })),
  ].filter(({ address }) => !never.some((each) => contains(each, address)));
}
