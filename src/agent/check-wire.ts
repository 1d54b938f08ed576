/**
 * What a lab file and an attachment say of a wire, and whether it can ever be one: first each value for itself, then, by
 * the rules of forwarders, the wire that would be made of them.
 */
import type { FilePath, Finding } from "../text/problem.ts";
import { quote } from "../text/problem.ts";
import { readSubnet } from "../text/read-address.ts";
import type { PolicyPart, RoutePart, RoutesPart } from "../text/wire-schema.ts";
import { LIMITS } from "../elements/limits.ts";
import { parsePorts } from "../forwarder/plan-policies.ts";
import { wireProblems } from "../forwarder/validate.ts";
import type { ContextRoute, PolicyRoute, Wire } from "../forwarder/wire.ts";
import { formatPrefix, parseIp } from "../net/ip.ts";

/** The part of a document that both have. */
export interface WrittenWire {
  readonly routes?: RoutesPart | undefined;
  readonly policies?: readonly PolicyPart[] | undefined;
}

/** `addressCount`: pairs of addresses of the wire; each end has a route to the other's. */
export function checkWritten(
  { routes = {}, policies = [] }: WrittenWire,
  { addressCount }: { readonly addressCount: number },
): Finding[] {
  const room = LIMITS.list - addressCount;
  return [
    ...checkRoutes(routes.client ?? [], ["routes", "client"], room),
    ...checkRoutes(routes.endpoint ?? [], ["routes", "endpoint"], room),
    ...checkCount(policies.length, ["policies"], "policies", LIMITS.list),
    ...checkCount(
      policies.reduce((sum, { routes: own = [] }) => sum + own.length, 0),
      ["policies"],
      "routes of policies",
      LIMITS.list,
    ),
    ...policies.flatMap((policy, i) => checkPolicy(policy, ["policies", i])),
  ];
}

export function checkPrefixes(prefixes: readonly string[], path: FilePath): Finding[] {
  return [
    ...checkCount(prefixes.length, path, "prefixes", LIMITS.list),
    ...prefixes.flatMap((prefix, i) => checkPrefix(prefix, [...path, i])),
  ];
}

export function checkCount(count: number, path: FilePath, what: string, most: number): Finding[] {
  return count > most ? [{ path, message: `${count} ${what} are too many; there is room for ${most}` }] : [];
}

function checkRoutes(routes: readonly RoutePart[], path: FilePath, room: number = LIMITS.list): Finding[] {
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
      ...(isTwice ? [{ path: at, message: `the route to ${prefix} is there twice; remove one` }] : []),
      ...(via === undefined || parseIp(via)?.family === family
        ? []
        : [{ path: [...path, i, "via"], message: `${quote(via)} is no IPv${family} address` }]),
    ];
  });
  return [...checkCount(routes.length, path, "routes", room), ...findings];
}

function checkPrefix(text: string, path: FilePath): Finding[] {
  const read = readSubnet(text);
  return "error" in read ? [{ path, message: read.error }] : [];
}

function checkPolicy(policy: PolicyPart, path: FilePath): Finding[] {
  const ports = (["sourcePorts", "destinationPorts"] as const).flatMap((key) => {
    const problem = portsProblem(policy[key], policy.protocol);
    return problem === undefined ? [] : [{ path: [...path, key], message: problem }];
  });
  return [
    ...(policy.from === undefined ? [] : checkPrefix(policy.from, [...path, "from"])),
    ...ports,
    ...checkRoutes(policy.routes ?? [], [...path, "routes"]),
  ];
}

/** `80`, `8000-8999`; only where the protocol has ports. */
function portsProblem(ports: number | string | undefined, protocol: string | undefined): string | undefined {
  if (ports === undefined) return undefined;
  const text = String(ports);
  if (!parsePorts(text)) return `${quote(text)} is no port or range such as 80 or 8000-8999`;
  return protocol === "tcp" || protocol === "udp" || protocol === "sctp"
    ? undefined
    : "ports need the protocol tcp, udp or sctp";
}

/** Routes as the protocol has them. */
export function contextRoutes(routes: readonly RoutePart[] = []): (ContextRoute & { nextHop: string })[] {
  return routes.map((route) =>
    typeof route === "string"
      ? { prefix: route, nextHop: "" }
      : { prefix: route.to, nextHop: route.via ?? "" },
  );
}

export function contextPolicies(policies: readonly PolicyPart[] = []) {
  return policies.map(({ from, protocol, sourcePorts, destinationPorts, routes }) => ({
    from: from ?? "",
    proto: protocol ?? "",
    srcPort: sourcePorts === undefined ? "" : String(sourcePorts),
    dstPort: destinationPorts === undefined ? "" : String(destinationPorts),
    routes: contextRoutes(routes),
  })) satisfies PolicyRoute[];
}

/**
 * Why the wire that a document leads to could not be made, in places of the document. The document's values have been
 * checked. With `isOpen` the wire may get addresses from elsewhere.
 */
export function checkWire(
  wire: Wire,
  written: WrittenWire,
  options: { readonly isOpen?: boolean } = {},
): Finding[] {
  return wireProblems(wire, options).map(({ part, sentence }) => ({
    path: placeOf(part, written),
    message: `${sentence.charAt(0).toLowerCase()}${sentence.slice(1).replace(/\.$/, "")}`,
  }));
}

const POLICY_KEYS: Readonly<Record<string, string>> = {
  from: "from",
  proto: "protocol",
  srcPort: "sourcePorts",
  dstPort: "destinationPorts",
};

/** Where a part of a context stands in the document. */
function placeOf(part: readonly (string | number)[], { routes, policies }: WrittenWire): FilePath {
  const [list, i, key, ...rest] = part;
  switch (list) {
    case "srcRoutes":
      return routePlace(["routes", "client"], [i, key], routes?.client);
    case "dstRoutes":
      return routePlace(["routes", "endpoint"], [i, key], routes?.endpoint);
    case "policies":
      return key === "routes"
        ? routePlace(["policies", i ?? 0, "routes"], rest, policies?.[Number(i)]?.routes)
        : ["policies", i ?? 0, ...(key === undefined ? [] : [POLICY_KEYS[key] ?? key])];
    case "srcIpAddrs":
      return ["addresses", "client", ...(i === undefined ? [] : [i])];
    case "dstIpAddrs":
      return ["addresses", "endpoint", ...(i === undefined ? [] : [i])];
    case "mtuBytes":
      return ["mtu"];
    default:
      return [];
  }
}

function routePlace(
  path: FilePath,
  [i = 0, key]: readonly (string | number | undefined)[],
  routes: readonly RoutePart[] | undefined,
): FilePath {
  if (typeof routes?.[Number(i)] === "string") return [...path, i];
  return [...path, i, key === "nextHop" ? "via" : "to"];
}
