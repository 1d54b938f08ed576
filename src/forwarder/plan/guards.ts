/** What each side of a wire may send, by what the context grants it. */
import { type Guard, sourcesOf } from "../../kernel/guard.ts";
import { isBorrowed, servedFor } from "../../mechanisms/list.ts";
import { otherSide, type Side } from "../../mechanisms/side.ts";
import { addressOf, formatPrefix, mustParsePrefix, network } from "../../net/ip.ts";
import { formatMac, parseMac } from "../../net/mac.ts";
import type { ConnectionContext, Wire } from "../wire.ts";
import { workloadMac } from "./workload-mac.ts";

/** Nothing of a wire that is not checked. */
export type Guards = Partial<Readonly<Record<Side, Guard>>>;

/** For a wire that `validateWire` has nothing against. */
export function guardsOf(wire: Wire): Guards {
  if (wire.guard === "never") return {};
  return { client: guardOf(wire, "client"), endpoint: guardOf(wire, "endpoint") };
}

function guardOf(wire: Wire, side: Side): Guard {
  const mac = macOf(wire, side);
  const sources = granted(wire.context, side);
  const serves = servedFor(wire[otherSide(side)]);
  return {
    ...(mac !== undefined && { mac }),
    ...(sources && { sources }),
    ...(serves.length > 0 && { serves }),
  };
}

/** Where the wire carries frames of one device, and not of whoever is behind it. */
function macOf(wire: Wire, side: Side): string | undefined {
  if (wire.payload !== "ETHERNET" || isBorrowed(wire[side]) || wire.learned?.includes(side)) return undefined;
  const macs = (["client", "endpoint"] as const).map((each) => workloadMac(wire, each));
  const others = (wire.context.ipNeighbors ?? []).flatMap(
    ({ hardwareAddress }) => parseMac(hardwareAddress) ?? [],
  );
  return others.every((mac) => macs.includes(formatMac(mac))) ? workloadMac(wire, side) : undefined;
}

/**
 * Its own addresses, and what the other side sends back into the wire: by its routes, by policies, and by the networks of its own
 * addresses. Nothing for a wire whose context has no address: what is on it is nobody's business.
 */
function granted(context: ConnectionContext, side: Side): string[] | undefined {
  const { srcIpAddrs = [], dstIpAddrs = [], srcRoutes = [], dstRoutes = [], ipNeighbors = [] } = context;
  if (srcIpAddrs.length + dstIpAddrs.length === 0) return undefined;
  const [own, others, routes] =
    side === "client" ? [srcIpAddrs, dstIpAddrs, dstRoutes] : [dstIpAddrs, srcIpAddrs, srcRoutes];
  return sourcesOf([
    ...own.map(addressOf).map(hostPrefix),
    ...others.flatMap(networkOf),
    ...routes.map(({ prefix }) => prefix),
    ...(side === "endpoint" ? byPolicies(context) : []),
    ...ipNeighbors.map(({ ip }) => hostPrefix(ip)),
  ]);
}

/** Routes are the client's; a policy without any takes all that it is about. */
function byPolicies({ policies = [], srcIpAddrs = [] }: ConnectionContext): string[] {
  return policies.flatMap(({ from, routes = [] }) => {
    if (routes.length > 0) return routes.map(({ prefix }) => prefix);
    const families = from ? [from] : srcIpAddrs;
    return families.map((each) => (each.includes(":") ? "::/0" : "0.0.0.0/0"));
  });
}

function hostPrefix(address: string): string {
  return `${address}/${address.includes(":") ? 128 : 32}`;
}

/** Of `10.0.0.1/24` the network; none of an address alone, which is nobody else's. */
function networkOf(text: string): string[] {
  const prefix = mustParsePrefix(text);
  const isAlone = prefix.length === prefix.address.bytes.length * 8;
  return isAlone ? [] : [formatPrefix(network(prefix))];
}
