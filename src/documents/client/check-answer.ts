/** Compares the answer of an endpoint with the spec of the client. docs/reference/nsm.md lists the fields. */
import { everything } from "../../forwarder/plan/ip-end.ts";
import { parseSelectorPrefix } from "../../forwarder/plan/plan-policies.ts";
import type { PolicyRoute, Wire } from "../../forwarder/wire.ts";
import { formatPrefix, insideOf, isFullLength, network, parsePrefix } from "../../net/ip.ts";
import { NetloomError } from "../../errors/errors.ts";
import { refText } from "../../attachments/spec.ts";
import type { ClientSpec } from "./spec.ts";

/**
 * INVALID_ARGUMENT if the answer has a route outside of `acceptRoutes`, an address inside of `excludedPrefixes`, or an MTU
 * above `mtu`; the message names the fields. Called before anything of the answer reaches the kernel.
 */
export function checkAnswer(spec: ClientSpec, { context }: Wire): void {
  const problems = [
    ...addressProblems(spec, context),
    ...(spec.acceptRoutes ? routeProblems(spec.acceptRoutes, context) : []),
    ...mtuProblems(spec, context.mtuBytes ?? 0),
  ];
  if (problems.length === 0) return;
  const more = problems.length > 3 ? `, and ${problems.length - 3} more` : "";
  throw new NetloomError(
    "INVALID_ARGUMENT",
    `accept the answer of ${spec.service}'s endpoint for ${refText(spec)}: ${problems.slice(0, 3).join(", ")}${more}`,
    {
      topic: "NL-408",
      hint: "the endpoint gives more than this client accepts: change one of the two",
    },
  );
}

type Context = Wire["context"];

function addressProblems({ excludedPrefixes }: ClientSpec, context: Context): string[] {
  const isExcluded = insideOf(excludedPrefixes);
  const lists = [
    ["src_ip_addrs", context.srcIpAddrs],
    ["dst_ip_addrs", context.dstIpAddrs],
  ] as const;
  return lists.flatMap(([field, texts = []]) =>
    texts.filter(isExcluded).map((text) => `${field} has ${text}, which its excludedPrefixes forbid`),
  );
}

/** An address with a prefix length makes a route to its network, and a policy without routes takes all traffic. */
function routeProblems(accepted: readonly string[], context: Context): string[] {
  const isAccepted = insideOf(accepted);
  const networks = (texts: readonly string[] = []): string[] =>
    texts.flatMap((text) => {
      const prefix = parsePrefix(text);
      return prefix && !isFullLength(prefix) ? [formatPrefix(network(prefix))] : [];
    });
  const hosts = new Set([...(context.srcIpAddrs ?? []), ...(context.dstIpAddrs ?? [])].flatMap(hostOf));
  const given: readonly (readonly [string, readonly string[]])[] = [
    ["src_ip_addrs", networks(context.srcIpAddrs)],
    ["dst_ip_addrs", networks(context.dstIpAddrs)],
    // A route to the other end is always accepted: it is the purpose of the wire.
    ["src_routes", (context.srcRoutes ?? []).map(({ prefix }) => prefix).filter((each) => !hosts.has(each))],
    ["policies", (context.policies ?? []).flatMap(networksOf)],
  ];
  return given.flatMap(([field, prefixes]) =>
    prefixes
      .filter((prefix) => !isAccepted(prefix))
      .map((prefix) => `${field} has ${prefix}, which its acceptRoutes do not`),
  );
}

function networksOf({ from, routes = [] }: PolicyRoute): string[] {
  if (routes.length > 0) return routes.map(({ prefix }) => prefix);
  const source = from ? parsePrefix(parseSelectorPrefix(from)) : undefined;
  const families = source ? [source.address.family] : ([4, 6] as const);
  return families.map((family) => formatPrefix(everything(family)));
}

function hostOf(text: string): string[] {
  const prefix = parsePrefix(text);
  return prefix && isFullLength(prefix) ? [formatPrefix(prefix)] : [];
}

function mtuProblems({ mtuBytes: most }: ClientSpec, mtuBytes: number): string[] {
  return most > 0 && mtuBytes > most ? [`MTU is ${mtuBytes}, above its limit of ${most}`] : [];
}
