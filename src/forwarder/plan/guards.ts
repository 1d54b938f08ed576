/** The traffic that each side of a wire may send, derived from what the context grants. */
import { type Guard, sourcesOf } from "../../kernel/guard.ts";
import { isBorrowed, servedFor } from "../../mechanisms/list.ts";
import { otherSide, type Side } from "../../mechanisms/side.ts";
import { addressOf, formatPrefix, mustParsePrefix, network } from "../../net/ip.ts";
import { formatMac, parseMac } from "../../net/mac.ts";
import type { ConnectionContext, Wire } from "../wire.ts";
import { workloadMac } from "./workload-mac.ts";

/** The guard of each side; empty for a wire that is not checked. */
export type Guards = Partial<Readonly<Record<Side, Guard>>>;

/** The guards of a wire that passes `validateWire`. */
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

/** The only MAC that a side may send from. `undefined` unless the wire carries ETHERNET frames of that one device. */
function macOf(wire: Wire, side: Side): string | undefined {
  if (wire.payload !== "ETHERNET" || isBorrowed(wire[side]) || wire.learned?.includes(side)) return undefined;
  const macs = (["client", "endpoint"] as const).map((each) => workloadMac(wire, each));
  const others = (wire.context.ipNeighbors ?? []).flatMap(
    ({ hardwareAddress }) => parseMac(hardwareAddress) ?? [],
  );
  return others.every((mac) => macs.includes(formatMac(mac))) ? workloadMac(wire, side) : undefined;
}

/**
 * The prefixes that a side may send from: its own addresses, and the destinations that the other side sends into the wire: by its
 * routes, by policies, and by the networks of its own addresses. `undefined` for a wire whose context has no address: its
 * addresses are not checked.
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

/** Destinations of the client's policies. A policy without routes takes all traffic of its address family. */
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

/** The network of `10.0.0.1/24`; none for a single address (full prefix length). */
function networkOf(text: string): string[] {
  const prefix = mustParsePrefix(text);
  const isAlone = prefix.length === prefix.address.bytes.length * 8;
  return isAlone ? [] : [formatPrefix(network(prefix))];
}
