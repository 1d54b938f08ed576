/** Checks that a wire of a document or a lab file can be made. */
import { wireProblems } from "../../forwarder/plan/validate.ts";
import type { Wire } from "../../forwarder/wire.ts";
import type { FilePath, Finding } from "../../text/problem.ts";
import { checkRoutes, type RoutePart, type WrittenRoutes } from "./routes.ts";

/** The facts of the wire beside its routes and policies. */
export interface WireAhead {
  /** The number of address pairs that the wire will have. */
  readonly addressCount: number;
  /** The wire, or its halves, as a forwarder would get it. Called only if each value is valid. */
  readonly wires: () => readonly Wire[];
  /** The wire may get addresses from elsewhere. Default: false. */
  readonly isOpen?: boolean;
}

/**
 * All problems, with their places in the document. First each value is checked alone. If all are valid, the wire made of
 * them is checked by the rules of forwarders.
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

/** The place in the document of a part of a context. */
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
