/** Traffic passes on as it comes: clients reach what is behind the function, by routes. Upstream: examples of nse-composition */
import { create } from "@bufbuild/protobuf";
import { copyMessage } from "../../api/copy-message.ts";
import {
  type ConnectionContext,
  DNSContextSchema,
  IPContextSchema,
  type IPContext,
  RouteSchema,
  type Route,
} from "../../api/gen/nsm/connectioncontext_pb.js";
import { formatPrefix, insideOf, network, parsePrefix } from "../../net/ip.ts";
import type { FunctionType } from "../function-type.ts";

/**
 * - The endpoint is told of the way back to the client; one that does not take it is no way on.
 * - The client reaches the far end of the next wire, and has all routes and policies that lead there, by the function, and its name
 *   servers.
 */
export const passthrough: Readonly<FunctionType> = {
  type: "passthrough",
  about: "Routes what comes from a client to the next station of the chain, and back.",
  keys: {},
  check: () => [],
  passage: () => ({ ask, answer }),
};

function ask(next: ConnectionContext, first: ConnectionContext): void {
  const ip = (next.ipContext ??= create(IPContextSchema));
  for (const prefix of first.ipContext?.srcIpAddrs ?? []) addRoute(ip.dstRoutes, prefix);
}

function answer(first: ConnectionContext, next: ConnectionContext): string | undefined {
  const [own, beyond] = [ipOf(first), ipOf(next)];
  const isRouted = insideOf(beyond.dstRoutes.flatMap(({ prefix }) => (parsePrefix(prefix) ? [prefix] : [])));
  const unknown = own.srcIpAddrs.filter((address) => !isRouted(address));
  if (unknown.length > 0)
    return `the endpoint takes no route to the client's ${unknown.join(" and ")}; its acceptRoutes have to hold the pools of the function`;
  for (const prefix of beyond.dstIpAddrs) addRoute(own.srcRoutes, hostOf(prefix));
  for (const { prefix } of beyond.srcRoutes) addRoute(own.srcRoutes, prefix);
  for (const policy of beyond.policies) {
    const passed = copyMessage(policy);
    passed.routes = passed.routes.map(({ prefix }) => create(RouteSchema, { prefix }));
    own.policies.push(passed);
  }
  const configs = next.dnsContext?.configs ?? [];
  if (configs.length > 0) {
    const dns = (first.dnsContext ??= create(DNSContextSchema));
    dns.configs.push(...configs.map((each) => copyMessage(each)));
  }
  return undefined;
}

function ipOf(context: ConnectionContext): IPContext {
  return (context.ipContext ??= create(IPContextSchema));
}

/** Of `10.9.0.1/24` the address alone: the network is the next wire's, and reached by its routes. */
function hostOf(text: string): string {
  const { address } = parsePrefix(text) ?? {};
  return address ? formatPrefix({ address, length: address.bytes.length * 8 }) : text;
}

/** Once, and by whoever is at the other end of the client's wire: a next hop of the next one is out of reach. */
function addRoute(routes: Route[], text: string): void {
  const read = parsePrefix(text);
  const prefix = read ? formatPrefix(network(read)) : text;
  if (!routes.some((route) => route.prefix === prefix)) routes.push(create(RouteSchema, { prefix }));
}
