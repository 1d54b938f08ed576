/** Routes and policies of a wire in a lab file. */
import { formatIp, formatPrefix, parseIp } from "../net/ip.ts";
import { readSubnet } from "./addresses.ts";
import { unwrap } from "./check-links.ts";
import type { Findings } from "./findings.ts";
import type { LabPolicy, LabRoute } from "./model.ts";
import { type FilePath, quote } from "../document/problem.ts";
import type { PolicyPart, RoutePart } from "./schema.ts";

/** Routes to the other side, which has the addresses `peer`. */
export function checkRoutes(
  parts: readonly RoutePart[],
  path: FilePath,
  peer: readonly string[],
  findings: Findings,
): LabRoute[] {
  const seen = new Set<string>();
  return parts.flatMap((part, i): LabRoute[] => {
    const short = typeof part === "string";
    const at = short ? [...path, i] : [...path, i, "to"];
    const prefix = unwrap(readSubnet(short ? part : part.to), at, findings);
    if (!prefix) return [];
    const to = formatPrefix(prefix);
    if (seen.has(to)) findings.add(at, `the route to ${to} is there twice; remove one`);
    seen.add(to);
    const family = prefix.address.family;
    if (peer.length > 0 && !peer.some((address) => parseIp(address)?.family === family)) {
      findings.add(at, `the route to ${to} does not fit: the wire has no IPv${family} addresses`);
    }
    if (short || part.via === undefined) return [{ to }];
    const via = parseIp(part.via);
    if (!via || via.family !== family) {
      findings.add([...path, i, "via"], `${quote(part.via)} is no IPv${family} address`);
      return [];
    }
    return [{ to, via: formatIp(via) }];
  });
}

export function readPolicies(
  parts: readonly PolicyPart[],
  path: FilePath,
  peer: readonly string[],
  findings: Findings,
): LabPolicy[] {
  return parts.map((part, i): LabPolicy => {
    const at = [...path, i];
    const from =
      part.from === undefined ? undefined : unwrap(readSubnet(part.from), [...at, "from"], findings);
    const ports = (["sourcePorts", "destinationPorts"] as const).flatMap((key) => {
      if (part[key] === undefined) return [];
      const text = String(part[key]);
      const error = whyNoPorts(text, part.protocol);
      if (error !== undefined) findings.add([...at, key], error);
      return [[key, text] as const];
    });
    return {
      ...(from && { from: formatPrefix(from) }),
      ...(part.protocol !== undefined && { protocol: part.protocol }),
      ...Object.fromEntries(ports),
      routes: checkRoutes(part.routes ?? [], [...at, "routes"], peer, findings),
    };
  });
}

function whyNoPorts(text: string, protocol: string | undefined): string | undefined {
  const [, first = "", last = first] = /^([0-9]{1,5})(?:-([0-9]{1,5}))?$/.exec(text) ?? [];
  const [from, to] = [Number(first), Number(last)];
  if (first === "" || from < 1 || to > 65_535 || from > to)
    return `${quote(text)} is no port or range such as 80 or 8000-8999`;
  return protocol === "tcp" || protocol === "udp" || protocol === "sctp"
    ? undefined
    : "ports need the protocol tcp, udp or sctp";
}
