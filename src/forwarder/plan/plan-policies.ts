/** Policy routes: each policy gets a rule and a routing table of its own for each address family. */
import { formatPrefix, mustParsePrefix, network } from "../../net/ip.ts";
import type { Route, Rule } from "../../kernel/kernel.ts";
import { POLICY_PRIORITY_BASE, policyTable } from "./policy-table.ts";
import { contextRoute, everything, type IpEnd } from "./ip-end.ts";
import type { PolicyRoute } from "../wire.ts";

/** The names and numbers of /etc/protocols that a policy may use. */
const IP_PROTOCOLS: ReadonlyMap<string, number> = new Map([
  ["icmp", 1],
  ["tcp", 6],
  ["udp", 17],
  ["gre", 47],
  ["esp", 50],
  ["ah", 51],
  ["icmpv6", 58],
  ["ipv6-icmp", 58],
  ["sctp", 132],
]);

/** Plans the policies in order: the first one that matches wins. */
export function planPolicies(
  connectionId: string,
  end: IpEnd,
  policies: readonly PolicyRoute[],
): { readonly routes: Route[]; readonly rules: Rule[] } {
  const routes: Route[] = [];
  const rules: Rule[] = [];
  const seen = new Map<string, number>();
  for (const [i, policy] of policies.entries()) {
    const selector = selectorOf(policy);
    const n = seen.get(selector) ?? 0;
    seen.set(selector, n + 1);
    const table = policyTable(connectionId, selector, n);
    for (const family of familiesOf(end, policy)) {
      rules.push(planRule(end, policy, { family, table, priority: POLICY_PRIORITY_BASE + i }));
      routes.push(...tableRoutes(end, policy, family).map((route) => ({ ...route, table })));
    }
  }
  return { routes, rules };
}

/** Parses a protocol number (1 to 255) or a name of `IP_PROTOCOLS`. `undefined` for anything else. */
export function parseIpProtocol(text: string): number | undefined {
  const named = IP_PROTOCOLS.get(text.toLowerCase());
  if (named !== undefined) return named;
  return /^[0-9]{1,3}$/.test(text) && Number(text) >= 1 && Number(text) <= 255 ? Number(text) : undefined;
}

/** Parses `80` or `8000-8999`. `undefined` for anything else. */
export function parsePorts(text: string): readonly [number, number] | undefined {
  const match = /^([0-9]{1,5})(?:-([0-9]{1,5}))?$/.exec(text);
  if (!match) return undefined;
  const [first, last] = [Number(match[1]), Number(match[2] ?? match[1])];
  return first >= 1 && first <= last && last <= 65535 ? [first, last] : undefined;
}

/** Writes an address alone as a prefix of full length; returns a prefix unchanged. */
export function parseSelectorPrefix(text: string): string {
  return text.includes("/") ? text : `${text}/${text.includes(":") ? 128 : 32}`;
}

/** A key for the traffic that a policy matches, independent of its place in the list. */
function selectorOf(policy: PolicyRoute): string {
  return [policy.from, policy.proto, policy.srcPort, policy.dstPort].map((part) => part ?? "").join(" ");
}

/** The address families of a policy: those of its `from`, else of its routes, else of the wire's addresses. */
function familiesOf(end: IpEnd, policy: PolicyRoute): (4 | 6)[] {
  const prefixes = policy.from
    ? [mustParsePrefix(parseSelectorPrefix(policy.from))]
    : policy.routes?.length
      ? policy.routes.map((route) => mustParsePrefix(route.prefix))
      : end.own;
  return ([4, 6] as const).filter((family) => prefixes.some((prefix) => prefix.address.family === family));
}

function planRule(end: IpEnd, policy: PolicyRoute, place: Pick<Rule, "family" | "table" | "priority">): Rule {
  const ipProtocol = policy.proto ? parseIpProtocol(policy.proto) : undefined;
  const sourcePorts = policy.srcPort ? parsePorts(policy.srcPort) : undefined;
  const destinationPorts = policy.dstPort ? parsePorts(policy.dstPort) : undefined;
  return {
    kind: "rule",
    netns: end.link.netns,
    ...place,
    ...(policy.from
      ? { from: formatPrefix(network(mustParsePrefix(parseSelectorPrefix(policy.from)))) }
      : {}),
    ...(ipProtocol === undefined ? {} : { ipProtocol }),
    ...(sourcePorts ? { sourcePorts } : {}),
    ...(destinationPorts ? { destinationPorts } : {}),
  };
}

/** The routes of a policy's table: each destination once, the first wins; the default route if the policy has no routes. */
function tableRoutes(end: IpEnd, policy: PolicyRoute, family: 4 | 6): Route[] {
  const chosen = (policy.routes ?? []).filter(
    (route) => mustParsePrefix(route.prefix).address.family === family,
  );
  const all = chosen.length > 0 ? chosen : [{ prefix: formatPrefix(everything(family)) }];
  const byDestination = new Map<string, Route>();
  for (const route of all.map((wanted) => contextRoute(end, wanted))) {
    if (!byDestination.has(route.destination)) byDestination.set(route.destination, route);
  }
  return [...byDestination.values()];
}
