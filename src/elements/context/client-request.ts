/**
 * The part of a client's context that an endpoint accepts. docs/reference/nsm.md lists it field by field.
 *
 * An upstream client sends the whole context of its last answer with every request, and after a loss the context of
 * another endpoint. So this element drops the fields that a client may not set. If it refused the request, the client
 * would never heal.
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

export interface ClientRequestOptions {
  /**
   * Addresses that the client may request. `none` drops them. `pools` passes them to `ipam`, which keeps the addresses
   * of its pools and removes the others. `any` keeps addresses of full length, with the routes to them.
   */
  readonly addresses: "none" | "pools" | "any";
  /** The client may announce networks behind it that lie in these prefixes. Read at every request. Default: none. */
  readonly routes?: (() => readonly string[]) | undefined;
}

/**
 * The first element of an endpoint that sees the context.
 *
 * Guarantees
 * - It passes on: addresses as `addresses` says, excluded prefixes, the address families needed, the MTU, the client's
 *   own MAC, and `extra_context` unchanged.
 * - It keeps a route only if it leads to a kept address or, for the endpoint, to a network in `routes`.
 * - It drops policies, neighbours, name servers and the endpoint's MAC.
 */
export function clientRequest({ addresses, routes }: ClientRequestOptions): ConnectionElement {
  return {
    name: "client-request",
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
