/** Routes and policies of a wire in a lab file, as the model has them. */
import { checkWritten } from "../agent/check-wire.ts";
import { readSubnet } from "../text/read-address.ts";
import type { PolicyPart, RoutePart } from "../text/wire-schema.ts";
import { formatIp, formatPrefix, parseIp } from "../net/ip.ts";
import type { Draft } from "./check-wires.ts";
import type { Findings } from "./findings.ts";
import type { LabPolicy, LabRoute } from "./model.ts";

/** Of both sides. What is wrong is left out, and noted. */
export interface ReadRoutes {
  readonly client: readonly LabRoute[];
  readonly endpoint: readonly LabRoute[];
  readonly policies: readonly LabPolicy[];
}

export function readRoutes(
  { part, path }: Draft,
  { addressCount, findings }: { readonly addressCount: number; readonly findings: Findings },
): ReadRoutes {
  for (const { path: inner, message } of checkWritten(part, { addressCount }))
    findings.add([...path, ...inner], message);
  return {
    client: (part.routes?.client ?? []).flatMap(labRoute),
    endpoint: (part.routes?.endpoint ?? []).flatMap(labRoute),
    policies: (part.policies ?? []).map(labPolicy),
  };
}

function labRoute(part: RoutePart): LabRoute[] {
  const { to, via } = typeof part === "string" ? { to: part } : part;
  const hop = via === undefined ? undefined : parseIp(via);
  return canonical(to).map((prefix) => ({ to: prefix, ...(hop && { via: formatIp(hop) }) }));
}

function labPolicy({ from, protocol, sourcePorts, destinationPorts, routes = [] }: PolicyPart): LabPolicy {
  const [source] = from === undefined ? [] : canonical(from);
  return {
    ...(source !== undefined && { from: source }),
    ...(protocol !== undefined && { protocol }),
    ...(sourcePorts !== undefined && { sourcePorts: String(sourcePorts) }),
    ...(destinationPorts !== undefined && { destinationPorts: String(destinationPorts) }),
    routes: routes.flatMap(labRoute),
  };
}

function canonical(text: string): string[] {
  const read = readSubnet(text);
  return "error" in read ? [] : [formatPrefix(read.value)];
}
