/**
 * Passes traffic on unchanged: clients reach the networks behind the function by routes. Upstream: examples of nse-composition
 */
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
 * - The endpoint gets a route back to the client; an endpoint that does not accept it is refused.
 * - The client reaches the far end of the next wire through the function, and gets all routes, policies and name servers from
 *   there.
 */
export const passthrough: Readonly<FunctionType> = {
  type: "passthrough",
  about: "Routes packets of a client to the next station of the chain, and back.",
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
    return `the endpoint accepts no route to the client's ${unknown.join(" and ")}; its acceptRoutes have to contain the pools of the function`;
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

/** The address alone of `10.9.0.1/24`: its network belongs to the next wire and is reached by that wire's routes. */
function hostOf(text: string): string {
  const { address } = parsePrefix(text) ?? {};
  return address ? formatPrefix({ address, length: address.bytes.length * 8 }) : text;
}

/** Adds a route once, without a next hop: a next hop of the next wire is out of reach for the client. */
function addRoute(routes: Route[], text: string): void {
  const read = parsePrefix(text);
  const prefix = read ? formatPrefix(network(read)) : text;
  if (!routes.some((route) => route.prefix === prefix)) routes.push(create(RouteSchema, { prefix }));
}
