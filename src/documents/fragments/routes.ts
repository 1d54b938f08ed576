/** Routes and policies of a wire in documents and lab files: their shape, checks and meaning. */
import { z } from "zod";
import { LIMITS } from "../../elements/limits.ts";
import { parsePorts } from "../../forwarder/plan/plan-policies.ts";
import type { ContextRoute, PolicyRoute } from "../../forwarder/wire.ts";
import { formatIp, formatPrefix, parseIp } from "../../net/ip.ts";
import { type FilePath, type Finding, quote } from "../../text/problem.ts";
import { readSubnet } from "../../text/read-address.ts";
import { checkCount } from "./limits.ts";
import { checkPrefix } from "./prefixes.ts";

const routeSchema = z
  .union([
    z.string(),
    z.strictObject({
      to: z.string().describe("Destination prefix."),
      via: z.string().optional().describe("Next hop. Default: the other end of the wire."),
    }),
  ])
  .meta({ alternatives: "a prefix, or a map" })
  .describe("A prefix that is reached through the wire.");

const portsSchema = z
  .union([z.int(), z.string()])
  .meta({ alternatives: "a port, or a range such as 1000-2000" })
  .describe("A port, or a range such as 1000-2000.");

export const policyRouteSchema = z.strictObject({
  from: z.string().optional().describe("Source prefix."),
  protocol: z.enum(["icmp", "tcp", "udp", "sctp", "ipv6-icmp"]).optional(),
  sourcePorts: portsSchema.optional(),
  destinationPorts: portsSchema.optional(),
  routes: z.array(routeSchema).optional().describe("Default: everything."),
});

export const routesSchema = z.strictObject({
  client: z.array(routeSchema).optional(),
  endpoint: z.array(routeSchema).optional(),
});

export type RoutePart = z.infer<typeof routeSchema>;
type PolicyRoutePart = z.infer<typeof policyRouteSchema>;

/** The part of a document that selects the traffic of a wire. */
export interface WrittenRoutes {
  readonly routes?: z.infer<typeof routesSchema> | undefined;
  readonly policyRoutes?: readonly PolicyRoutePart[] | undefined;
}

/** Checks each value alone. `addressCount`: the address pairs of the wire; each adds a route to the other end. */
export function checkRoutes(
  { routes = {}, policyRoutes = [] }: WrittenRoutes,
  addressCount: number,
): Finding[] {
  const room = LIMITS.list - addressCount;
  return [
    ...checkList(routes.client ?? [], ["routes", "client"], room),
    ...checkList(routes.endpoint ?? [], ["routes", "endpoint"], room),
    ...checkCount(policyRoutes.length, ["policyRoutes"], "policy routes", LIMITS.list),
    ...checkCount(
      policyRoutes.reduce((sum, { routes: own = [] }) => sum + own.length, 0),
      ["policyRoutes"],
      "routes of policy routes",
      LIMITS.list,
    ),
    ...policyRoutes.flatMap((each, i) => checkPolicyRoute(each, ["policyRoutes", i])),
  ];
}

function checkList(routes: readonly RoutePart[], path: FilePath, room: number = LIMITS.list): Finding[] {
  const seen = new Set<string>();
  const findings = routes.flatMap((route, i): Finding[] => {
    const { to, via } = typeof route === "string" ? { to: route } : route;
    const at = typeof route === "string" ? [...path, i] : [...path, i, "to"];
    const read = readSubnet(to);
    if ("error" in read) return [{ path: at, message: read.error }];
    const prefix = formatPrefix(read.value);
    const isTwice = seen.has(prefix);
    seen.add(prefix);
    const { family } = read.value.address;
    return [
      ...(isTwice ? [{ path: at, message: `the route to ${prefix} appears twice; remove one` }] : []),
      ...(via === undefined || parseIp(via)?.family === family
        ? []
        : [{ path: [...path, i, "via"], message: `${quote(via)} is not an IPv${family} address` }]),
    ];
  });
  return [...checkCount(routes.length, path, "routes", room), ...findings];
}

function checkPolicyRoute(policy: PolicyRoutePart, path: FilePath): Finding[] {
  const ports = (["sourcePorts", "destinationPorts"] as const).flatMap((key) => {
    const problem = portsProblem(policy[key], policy.protocol);
    return problem === undefined ? [] : [{ path: [...path, key], message: problem }];
  });
  return [
    ...(policy.from === undefined ? [] : checkPrefix(policy.from, [...path, "from"])),
    ...ports,
    ...checkList(policy.routes ?? [], [...path, "routes"]),
  ];
}

/** Checks `80` or `8000-8999`. Only a protocol with ports takes them. */
function portsProblem(ports: number | string | undefined, protocol: string | undefined): string | undefined {
  if (ports === undefined) return undefined;
  const text = String(ports);
  if (!parsePorts(text)) return `${quote(text)} is not a port or range such as 80 or 8000-8999`;
  return protocol === "tcp" || protocol === "udp" || protocol === "sctp"
    ? undefined
    : "ports need the protocol tcp, udp or sctp";
}

/** Routes in the form of the protocol, with canonical prefixes. An invalid prefix stays as it is written. */
export function contextRoutes(routes: readonly RoutePart[] = []) {
  return routes.map((route) => {
    const { to, via } = typeof route === "string" ? { to: route } : route;
    return { prefix: canonical(to), ...(via !== undefined && { nextHop: canonicalIp(via) }) };
  }) satisfies ContextRoute[];
}

/** Policies in the form of the protocol, with canonical prefixes. An invalid prefix stays as it is written. */
export function contextPolicies(policyRoutes: readonly PolicyRoutePart[] = []) {
  return policyRoutes.map(({ from, protocol, sourcePorts, destinationPorts, routes }) => ({
    ...(from !== undefined && { from: canonical(from) }),
    ...(protocol !== undefined && { proto: protocol }),
    ...(sourcePorts !== undefined && { srcPort: String(sourcePorts) }),
    ...(destinationPorts !== undefined && { dstPort: String(destinationPorts) }),
    routes: contextRoutes(routes),
  })) satisfies PolicyRoute[];
}

function canonical(prefix: string): string {
  const read = readSubnet(prefix);
  return "error" in read ? prefix : formatPrefix(read.value);
}

function canonicalIp(text: string): string {
  const address = parseIp(text);
  return address ? formatIp(address) : text;
}
