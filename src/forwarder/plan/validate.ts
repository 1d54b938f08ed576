/** Checks whether a wire can be planned, before anything is touched. Each problem is a sentence. */
import { byteLength } from "../../net/byte-length.ts";
import { endOf, type Mechanism, remoteTypeOf, typeOf } from "../../mechanisms/list.ts";
import { isMtu } from "../../mechanisms/parameters.ts";
import { IPV6_MIN_MTU } from "../../net/link-local.ts";
import { isUnicastMac, parseMac } from "../../net/mac.ts";
import { CONNECTION_ID_BYTES } from "../../mechanisms/naming.ts";
import { wireMtu } from "./plan.ts";
import { hasFamily, validateIp, type WireProblem } from "./validate-ip.ts";
import type { Wire } from "../wire.ts";

/** RFC 791 section 3.2 */
const IPV4_MIN_MTU = 68;

/** All problems of a wire, each as a whole sentence for people; empty if it can be planned. */
export function validateWire(wire: Wire): string[] {
  return wireProblems(wire).map(({ sentence }) => sentence);
}

/**
 * All problems of a wire, each with the part of the context that has it, so that a document can point there. With `isOpen` the
 * wire may still get more addresses.
 */
export function wireProblems(wire: Wire, options: { readonly isOpen?: boolean } = {}): WireProblem[] {
  const whole = (sentence: string): WireProblem => ({ part: [], sentence });
  const problems = [
    ...[...idProblems(wire.connectionId), ...mechanismProblems(wire)].map(whole),
    ...validateIp(wire, options),
    ...macProblems(wire).map(whole),
  ];
  // The MTU is computed only from valid values.
  return problems.length > 0
    ? problems
    : mtuProblems(wire).map((sentence) => ({ part: ["mtuBytes"], sentence }));
}

function idProblems(id: string): string[] {
  if (id === "") return ["The connection id is empty."];
  if (hasControlCharacter(id)) return ["The connection id holds a control character."];
  const bytes = byteLength(id);
  return bytes <= CONNECTION_ID_BYTES
    ? []
    : [`The connection id has ${bytes} bytes; a device's alias has room for ${CONNECTION_ID_BYTES}.`];
}

function mechanismProblems({ client, endpoint }: Wire): string[] {
  const problems = [
    ...typeOf(client).problems(client, "client"),
    ...typeOf(endpoint).problems(endpoint, "endpoint"),
  ];
  const [a, b] = [endOf(client), endOf(endpoint)];
  const shared = sharedIdentifier(client, endpoint);
  if (shared !== undefined) problems.push(`Both tunnels have the ${shared}.`);
  if (a && b && a.netns === b.netns && a.interfaceName === b.interfaceName) {
    problems.push(`Both ends are the interface ${a.interfaceName} of ${a.netns}.`);
  }
  return problems;
}

/** The identifier that both tunnels of a wire have in common, by which a host tells tunnels of one type apart. */
function sharedIdentifier(client: Mechanism, endpoint: Mechanism): string | undefined {
  const type = remoteTypeOf(client);
  if (!type || type !== remoteTypeOf(endpoint)) return undefined;
  const { key, noun } = type.identifier;
  const [a, b] = [type.write(client)[key], type.write(endpoint)[key]];
  return a === b ? `${noun} ${a}` : undefined;
}

function macProblems({ context }: Wire): string[] {
  const given: (readonly [string, string | undefined])[] = [
    ["The client's MAC address", context.srcMac],
    ["The endpoint's MAC address", context.dstMac],
    ...(context.ipNeighbors ?? []).map(
      (each) => [`The MAC address of neighbour ${each.ip}`, each.hardwareAddress] as const,
    ),
  ];
  const problems: string[] = [];
  for (const [what, text] of given) {
    // NSM's messages use "" for a field that is not set.
    if (text === undefined || text === "") continue;
    const mac = parseMac(text);
    if (!mac) problems.push(`${what}, ${JSON.stringify(text)}, is not a MAC address.`);
    else if (!isUnicastMac(mac)) problems.push(`${what}, ${text}, is not unicast.`);
  }
  if (context.srcMac && context.srcMac.toLowerCase() === context.dstMac?.toLowerCase()) {
    problems.push(`Both ends have the MAC address ${context.srcMac}.`);
  }
  return problems;
}

function mtuProblems(wire: Wire): string[] {
  if (wire.context.mtuBytes !== undefined && !isMtu(wire.context.mtuBytes)) {
    return [`The MTU ${wire.context.mtuBytes} is not a whole number from 0 to 65535.`];
  }
  const mtuBytes = wireMtu(wire);
  const least = leastMtu(wire);
  if (mtuBytes >= least) return [];
  const why = wire.context.mtuBytes === mtuBytes ? undefined : whyMtu(wire);
  const needs = `${hasFamily(wire, 6) ? "IPv6" : "IPv4"} needs ${least}`;
  return [`The wire's MTU would be ${mtuBytes} ${why === undefined ? "bytes" : `(${why})`}; ${needs}.`];
}

/** The smallest MTU that the address families of the ends on this host allow, in bytes. */
export function leastMtu(wire: Wire): number {
  return hasFamily(wire, 6) ? IPV6_MIN_MTU : IPV4_MIN_MTU;
}

function whyMtu(wire: Wire): string | undefined {
  for (const mechanism of [wire.client, wire.endpoint]) {
    const tunnel = remoteTypeOf(mechanism);
    if (tunnel) return tunnel.whyMtu(mechanism);
  }
  return undefined;
}

function hasControlCharacter(text: string): boolean {
  return /\p{Cc}/u.test(text);
}
