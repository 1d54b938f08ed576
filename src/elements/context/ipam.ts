/** Addresses for both ends of a wire. Upstream: sdk/pkg/networkservice/ipam/{point2pointipam,groupipam,strictipam} */
import { create } from "@bufbuild/protobuf";
import { RouteSchema, type IPContext } from "../../api/gen/nsm/connectioncontext_pb.js";
import type { Connection } from "../../api/gen/nsm/connection_pb.js";
import { memoryKey } from "../../chain/call.ts";
import { PointToPointIpam, type Pair } from "../../ipam/point-to-point.ts";
import { formatIp, formatPrefix, network, parsePrefix, type IpAddress, type IpPrefix } from "../../net/ip.ts";
import { NetloomError } from "../../errors/errors.ts";
import { connectionOf, ipContextOf, type ConnectionElement } from "../connection.ts";
import { wireIdOf } from "../wires/wire-id.ts";

export interface AddressOptions {
  /**
   * Each wire gets one pair of addresses from each group, out of the first prefix with free addresses. Example:
   * `[["10.0.0.0/24"], ["fd00::/64"]]`.
   */
  readonly pools: readonly (readonly string[])[];
  /**
   * `polite` keeps a client's addresses that are not from a pool, `strict` removes them and their routes. Default:
   * `strict`, because such addresses are mostly from an endpoint that the client has lost.
   */
  readonly policy?: "polite" | "strict";
  /** Time for which the addresses of a lost client stay reserved for it. Default: 60,000 ms. */
  readonly reserveMs?: number;
  /** Prefixes that a wire's addresses must not come from, read at every request. */
  readonly excluded?: (wireId: string) => Promise<readonly string[]>;
}

const RESERVE_MS = 60_000;
const OWNER = memoryKey<string>("ipam: owner");

/**
 * Guarantees
 * - Addresses belong to a client's wire to a service, whatever ids the connection has at the stations: a client that
 *   requests the wire again gets the same addresses. A late close of an older connection of the wire does not free the
 *   addresses of the newer one.
 * - A close frees the addresses at once; after a loss they stay reserved for their owner.
 * - Each end gets its address with full length and a route to the other.
 */
export function ipam(name: string, options: AddressOptions): ConnectionElement {
  const pools = new PointToPointIpam(
    name,
    options.pools.map((group) => group.map(readPool)),
  );
  /** The connection that has the addresses, by owner. */
  const holders = new Map<string, string>();
  return {
    name: "ipam",
    async request(call, request, next) {
      const connection = connectionOf(request);
      const owner = ownerOf(connection);
      const ip = ipContextOf(connection);
      const excluded = await options.excluded?.(wireIdOf(connection));
      const pairs = pools.assign(
        owner,
        {
          excluded: [...ip.excludedPrefixes, ...(excluded ?? [])].map(readExcluded),
          srcAddresses: ip.srcIpAddrs,
          dstAddresses: ip.dstIpAddrs,
          client: connection.path?.pathSegments[0]?.name ?? "its client",
        },
        call.world.clock.monotonicMs(),
      );
      holders.set(owner, connection.id);
      call.memory.set(OWNER, owner);
      clearOut(ip, (address) => options.policy !== "polite" || pools.covers(address));
      for (const pair of pairs) give(ip, pair);
      return await next(request);
    },
    async close(call, connection, next) {
      const owner = call.memory.delete(OWNER);
      try {
        await next(connection);
      } finally {
        if (owner !== undefined && holders.get(owner) === connection.id) {
          holders.delete(owner);
          if (call.reason === "lost") {
            pools.reserve(owner, call.world.clock.monotonicMs() + (options.reserveMs ?? RESERVE_MS));
          } else {
            pools.release(owner);
          }
        }
      }
    },
  };
}

/** Service, client and wire: a wire's id is unique only at its client. */
function ownerOf(connection: Connection): string {
  const client = connection.path?.pathSegments[0]?.name ?? "";
  return JSON.stringify([connection.networkService, client, wireIdOf(connection)]);
}

/** Removes the addresses for which `goes` is true, and the routes to them. */
function clearOut(ip: IPContext, goes: (address: string) => boolean): void {
  const gone = new Set([...ip.srcIpAddrs, ...ip.dstIpAddrs].filter(goes).flatMap(hostOf));
  const stays = (address: string): boolean => !goes(address);
  ip.srcIpAddrs = ip.srcIpAddrs.filter(stays);
  ip.dstIpAddrs = ip.dstIpAddrs.filter(stays);
  const leads = ({ prefix, nextHop }: { readonly prefix: string; readonly nextHop: string }): boolean =>
    !hostOf(prefix).some((host) => gone.has(host)) && !hostOf(`${nextHop}/0`).some((host) => gone.has(host));
  ip.srcRoutes = ip.srcRoutes.filter(leads);
  ip.dstRoutes = ip.dstRoutes.filter(leads);
}

function hostOf(text: string): string[] {
  const prefix = parsePrefix(text);
  return prefix ? [formatIp(prefix.address)] : [];
}

function give(ip: IPContext, { src, dst }: Pair): void {
  const [srcPrefix, dstPrefix] = [full(src), full(dst)];
  ip.srcIpAddrs.push(srcPrefix);
  ip.dstIpAddrs.push(dstPrefix);
  ip.srcRoutes.push(create(RouteSchema, { prefix: dstPrefix }));
  ip.dstRoutes.push(create(RouteSchema, { prefix: srcPrefix }));
}

function full(address: IpAddress): string {
  return formatPrefix({ address, length: address.bytes.length * 8 });
}

function readPool(text: string): IpPrefix {
  const prefix = parsePrefix(text);
  if (!prefix)
    throw new NetloomError(
      "INVALID_ARGUMENT",
      `read address pool ${JSON.stringify(text)}: it is not a prefix`,
    );
  return network(prefix);
}

/** Reads an excluded prefix. An address means its host prefix, as in upstream. */
function readExcluded(text: string): IpPrefix {
  const prefix = parsePrefix(text.includes("/") ? text : `${text}/${text.includes(":") ? 128 : 32}`);
  if (!prefix) {
    throw new NetloomError(
      "INVALID_ARGUMENT",
      `read excluded prefix ${JSON.stringify(text.slice(0, 64))}: it is not a prefix`,
    );
  }
  return network(prefix);
}
