/** The first wire of an endpoint, as a forwarder would get it, computed before any client requests it. */
import type { Wire } from "../../forwarder/wire.ts";
import { deviceIn, type Mechanism } from "../../mechanisms/list.ts";
import { PointToPointIpam } from "../../ipam/point-to-point.ts";
import { formatPrefix, type IpAddress, mustParsePrefix } from "../../net/ip.ts";
import { poolGroups, type PoolsPart } from "./pools.ts";
import { contextPolicies, contextRoutes, type WrittenRoutes } from "./routes.ts";

/** The parts of a document that decide the wire. */
export interface FirstWireParts extends WrittenRoutes {
  readonly name: string;
  readonly pools?: PoolsPart | undefined;
  readonly excludedPrefixes?: readonly string[] | undefined;
  readonly mtu?: number | undefined;
}

/** Computes the wire. The pools must have room for it, and each of its routes and policies must be valid. */
export function firstWire(document: FirstWireParts): Wire {
  const { name, excludedPrefixes = [], routes, policyRoutes, mtu } = document;
  const ipam = new PointToPointIpam(
    name,
    poolGroups(document.pools).map((group) => group.map(mustParsePrefix)),
  );
  const spec = { excluded: excludedPrefixes.map(mustParsePrefix), srcAddresses: [], dstAddresses: [] };
  const pairs = ipam.assign("first", spec, 0);
  const full = (address: IpAddress): string => formatPrefix({ address, length: address.bytes.length * 8 });
  const end = (name: string): Mechanism => deviceIn(`file:///${name}`, name);
  return {
    connectionId: "first",
    client: end("client"),
    endpoint: end("endpoint"),
    context: {
      srcIpAddrs: pairs.map(({ src }) => full(src)),
      dstIpAddrs: pairs.map(({ dst }) => full(dst)),
      srcRoutes: contextRoutes(routes?.client),
      dstRoutes: contextRoutes(routes?.endpoint),
      policies: contextPolicies(policyRoutes),
      ...(mtu !== undefined && { mtuBytes: mtu }),
    },
  };
}
