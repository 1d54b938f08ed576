/** Checks the pools of an endpoint, and the first wire that it would have. */
import type { Finding } from "../../text/problem.ts";
import { checkWire } from "./check-wire.ts";
import { firstWire, type FirstWireParts } from "./first-wire.ts";
import { checkMtu } from "./mtu.ts";
import { checkPools } from "./pools.ts";
import { checkPrefixes } from "./prefixes.ts";

/** All problems. `isOpen`: wires may get addresses from elsewhere. Default: false. */
export function checkOffer(
  document: FirstWireParts,
  { isOpen = false }: { readonly isOpen?: boolean } = {},
): Finding[] {
  const { pools = [], excludedPrefixes = [], mtu } = document;
  const values = [
    ...checkPools(pools, excludedPrefixes, ["pools"]),
    ...checkMtu(mtu, ["mtu"], {
      hasIpv6: pools.flat().some((pool) => pool.includes(":")),
      remedy: "take IPv6 out of the pools",
    }),
    ...checkPrefixes(excludedPrefixes, ["excludedPrefixes"]),
  ];
  const isSound = values.length === 0;
  return [
    ...values,
    ...checkWire(document, {
      addressCount: pools.length,
      wires: () => (isSound ? [firstWire(document)] : []),
      isOpen,
    }),
  ];
}
