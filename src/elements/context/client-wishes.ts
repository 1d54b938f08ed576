/**
 * What an endpoint reads of the context that a client sends. docs/reference/nsm.md has the same field by field.
 *
 * A client of upstream's sends the whole context of its last answer with every request, and after a loss that of another
 * endpoint. So whatever is not its own to wish is left out, and not refused: it would never heal.
 */
import { create } from "@bufbuild/protobuf";
import {
  EthernetContextSchema,
  type ConnectionContext,
  type IPContext,
  type Route,
} from "../../api/gen/nsm/connectioncontext_pb.js";
import { formatPrefix, insideOf, isFullLength, network, parsePrefix } from "../../net/ip.ts";
import { connectionOf, ipContextOf, type ConnectionElement } from "../connection.ts";

export interface ClientWishOptions {
  /**
   * Whose addresses the client may bring: `none` leaves them out, `pools` hands them to `ipam`, which gives those of its
   * pools again and takes the rest away, `any` keeps addresses of full length, with the routes to them.
   */
  readonly addresses: "none" | "pools" | "any";
  /** Prefixes in which the client may name networks behind it, read at every request. Default: none. */
  readonly routes?: (() => readonly string[]) | undefined;
}

/**
 * The first element of an endpoint that sees the context.
 *
 * Guarantees
 * - Of the context there is behind it: addresses as `addresses` says, excluded prefixes, which families are needed, the
 *   MTU, the client's own MAC, and what is only handed through (`extra_context`). No route but to an address that is
 *   kept, or for the endpoint to a network in `routes`; no policy, no neighbour, no name server, no MAC of the endpoint's.
 */
export function clientWishes({ addresses, routes }: ClientWishOptions): ConnectionElement {
  return {
    name: "client-wishes",
    async request(_call, request, next) {
      const connection = connectionOf(request);
      const ip = ipContextOf(connection);
      if (addresses === "none") Object.assign(ip, { srcIpAddrs: [], dstIpAddrs: [] });
      if (addresses === "any") {
        ip.srcIpAddrs = ip.srcIpAddrs.filter(isHost);
        ip.dstIpAddrs = ip.dstIpAddrs.filter(isHost);
      }
      const isKept = addresses === "any";
      const isAllowed = insideOf(routes?.() ?? []);
      ip.srcRoutes = isKept ? routesTo(ip.srcRoutes, ip.dstIpAddrs) : [];
      ip.dstRoutes = [
        ...ip.dstRoutes.filter(({ prefix }) => isAllowed(prefix)),
        ...(isKept ? routesTo(ip.dstRoutes, ip.srcIpAddrs).filter(({ prefix }) => !isAllowed(prefix)) : []),
      ];
      forgetRest(ip);
      forgetBeside(connection.context);
      return await next(request);
    },
  };
}

function forgetRest(ip: IPContext): void {
  ip.policies = [];
  ip.ipNeighbors = [];
  ip.extraPrefixes = [];
  delete ip.extraPrefixRequest;
}

function forgetBeside(context: ConnectionContext | undefined): void {
  if (!context) return;
  delete context.dnsContext;
  const srcMac = context.ethernetContext?.srcMac ?? "";
  if (srcMac === "") delete context.ethernetContext;
  else context.ethernetContext = create(EthernetContextSchema, { srcMac });
}

function isHost(text: string): boolean {
  const prefix = parsePrefix(text);
  return prefix !== undefined && isFullLength(prefix);
}

function routesTo(routes: readonly Route[], addresses: readonly string[]): Route[] {
  const hosts = new Set(addresses.flatMap(canonical));
  return routes.filter(
    ({ prefix, nextHop }) => nextHop === "" && canonical(prefix).some((each) => hosts.has(each)),
  );
}

function canonical(text: string): string[] {
  const prefix = parsePrefix(text);
  return prefix ? [formatPrefix(network(prefix))] : [];
}
