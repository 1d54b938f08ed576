/** Whether a wire that a document or a lab file speaks of can ever be made. */
import { wireProblems } from "../../forwarder/plan/validate.ts";
import type { Wire } from "../../forwarder/wire.ts";
import type { FilePath, Finding } from "../../text/problem.ts";
import { checkRoutes, type RoutePart, type WrittenRoutes } from "./routes.ts";

/** What is known of the wire beside its routes and policies. */
export interface WireAhead {
  /** Pairs of addresses that it will have. */
  readonly addressCount: number;
  /** The wire, or its halves, as forwarders would be asked for it. Called when the values are sound. */
  readonly wires: () => readonly Wire[];
  /** It may get addresses from elsewhere. Default: false. */
  readonly isOpen?: boolean;
}

/**
 * All that is wrong, in places of the document: first each value for itself; if those are sound, by the rules of
 * forwarders, the wire that would be made of them.
 */
export function checkWire(
  written: WrittenRoutes,
  { addressCount, wires, isOpen = false }: WireAhead,
): Finding[] {
  const findings = checkRoutes(written, addressCount);
  if (findings.length > 0) return findings;
  return wires().flatMap((wire) =>
    wireProblems(wire, { isOpen }).map(({ part, sentence }) => ({
      path: placeOf(part, written),
      message: `${sentence.charAt(0).toLowerCase()}${sentence.slice(1).replace(/\.$/, "")}`,
    })),
  );
}

const POLICY_KEYS: Readonly<Record<string, string>> = {
  from: "from",
  proto: "protocol",
  srcPort: "sourcePorts",
  dstPort: "destinationPorts",
};

/** Where a part of a context stands in the document. */
function placeOf(part: readonly (string | number)[], { routes, policyRoutes }: WrittenRoutes): FilePath {
  const [list, i, key, ...rest] = part;
  switch (list) {
    case "srcRoutes":
      return routePlace(["routes", "client"], [i, key], routes?.client);
    case "dstRoutes":
      return routePlace(["routes", "endpoint"], [i, key], routes?.endpoint);
    case "policies":
      return key === "routes"
        ? routePlace(["policyRoutes", i ?? 0, "routes"], rest, policyRoutes?.[Number(i)]?.routes)
        : ["policyRoutes", i ?? 0, ...(key === undefined ? [] : [POLICY_KEYS[key] ?? key])];
    case "srcIpAddrs":
      return ["addresses", "client", ...(i === undefined ? [] : [i])];
    case "dstIpAddrs":
      return ["addresses", "endpoint", ...(i === undefined ? [] : [i])];
    case "mtuBytes":
      return ["mtu"];
    case undefined:
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
