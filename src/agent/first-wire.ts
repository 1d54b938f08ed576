/** The first wire of an endpoint: what forwarders would be asked for, before anybody has asked. */
import type { Wire } from "../forwarder/wire.ts";
import { PointToPointIpam } from "../ipam/point-to-point.ts";
import { formatPrefix, type IpAddress, mustParsePrefix } from "../net/ip.ts";
import { contextPolicies, contextRoutes } from "./check-wire.ts";
import type { ExposeWish } from "./wish.ts";

/** The wish's pools have room for it. */
export function firstWire({ name, pools, excludedPrefixes, document }: ExposeWish): Wire {
  const { routes, policies, mtu } = document;
  const ipam = new PointToPointIpam(
    name,
    pools.map((group) => group.map(mustParsePrefix)),
  );
  const wish = { excluded: excludedPrefixes.map(mustParsePrefix), srcAddresses: [], dstAddresses: [] };
  const pairs = ipam.assign("first", wish, 0);
  const full = (address: IpAddress): string => formatPrefix({ address, length: address.bytes.length * 8 });
  const end = (interfaceName: string) =>
    ({ type: "KERNEL", netns: `file:///${interfaceName}`, interfaceName }) as const;
  return {
    connectionId: "first",
    client: end("client"),
    endpoint: end("endpoint"),
    context: {
      srcIpAddrs: pairs.map(({ src }) => full(src)),
      dstIpAddrs: pairs.map(({ dst }) => full(dst)),
      srcRoutes: contextRoutes(routes?.client),
      dstRoutes: contextRoutes(routes?.endpoint),
      policies: contextPolicies(policies),
      ...(mtu !== undefined && { mtuBytes: mtu }),
    },
  };
}
