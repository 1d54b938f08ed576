/** Whether a wire can be planned, told in sentences before anything is touched. */
import { MAX_VNI, MIN_VNI } from "../kernel/objects/vxlan.ts";
import { byteLength } from "../net/byte-length.ts";
import { formatIp, parseIp } from "../net/ip.ts";
import { interfaceNameProblem } from "../net/interface-name.ts";
import { isUnicastMac, parseMac } from "../net/mac.ts";
import type { Netns } from "../kernel/kernel.ts";
import { vxlanFamily } from "./mechanisms/vxlan.ts";
import { CONNECTION_ID_BYTES } from "../mechanisms/naming.ts";
import { wireMtu } from "./plan.ts";
import { hasFamily, validateIp, type WireProblem } from "./validate-ip.ts";
import type { KernelMechanism, VxlanMechanism, Wire } from "./wire.ts";
import type { Side } from "../mechanisms/side.ts";

/** All that is wrong with a wire, each as a whole sentence for people; empty if it can be planned. */
export function validateWire(wire: Wire): string[] {
  return wireProblems(wire).map(({ sentence }) => sentence);
}

/**
 * Likewise, each with the part of the context that it is about, for a document that the wire would come from. With
 * `isOpen` the wire may still get more addresses.
 */
export function wireProblems(wire: Wire, options: { readonly isOpen?: boolean } = {}): WireProblem[] {
  const whole = (sentence: string): WireProblem => ({ part: [], sentence });
  const problems = [
    ...[...idProblems(wire.connectionId), ...mechanismProblems(wire)].map(whole),
    ...validateIp(wire, options),
    ...macProblems(wire).map(whole),
  ];
  // Only what reads well can be added up.
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

function mechanismProblems(wire: Wire): string[] {
  const { client, endpoint } = wire;
  const problems: string[] = [];
  for (const side of ["client", "endpoint"] as const) {
    const mechanism = wire[side];
    problems.push(
      ...(mechanism.type === "KERNEL" ? kernelProblems(side, mechanism) : tunnelProblems(mechanism)),
    );
  }
  if (client.type === "VXLAN" && endpoint.type === "VXLAN") {
    problems.push("Both mechanisms are VXLAN; one end has to be a workload of this host.");
  }
  if (client.type === "KERNEL" && endpoint.type === "KERNEL") {
    if (client.netns === endpoint.netns && client.interfaceName === endpoint.interfaceName) {
      problems.push(`Both ends are the interface ${client.interfaceName} of ${client.netns}.`);
    }
  }
  return problems;
}

function kernelProblems(side: Side, mechanism: KernelMechanism): string[] {
  const problems: string[] = [];
  const name = interfaceNameProblem(mechanism.interfaceName);
  if (name) problems.push(`The ${side}'s interface name ${JSON.stringify(mechanism.interfaceName)} ${name}.`);
  if (!isNetns(mechanism.netns)) {
    problems.push(
      `The ${side}'s namespace ${JSON.stringify(mechanism.netns)} is neither file:///path nor inode://device/inode.`,
    );
  }
  if (mechanism.mtuBytes !== undefined && !isMtu(mechanism.mtuBytes)) {
    problems.push(`The ${side}'s MTU ${mechanism.mtuBytes} is no whole number from 0 to 65535.`);
  }
  return problems;
}

function isNetns(netns: Netns): boolean {
  if (netns === "host") return true;
  if (netns.startsWith("file://")) return netns.startsWith("file:///") && !hasControlCharacter(netns);
  return /^inode:\/\/[0-9]+\/[0-9]+$/.test(netns);
}

function tunnelProblems(tunnel: VxlanMechanism): string[] {
  const problems: string[] = [];
  const [source, destination] = [parseIp(tunnel.sourceIp), parseIp(tunnel.destinationIp)];
  if (!source) problems.push(`The tunnel's source ${JSON.stringify(tunnel.sourceIp)} is no IP address.`);
  if (!destination) {
    problems.push(`The tunnel's destination ${JSON.stringify(tunnel.destinationIp)} is no IP address.`);
  }
  if (source && destination) {
    if (source.family !== destination.family) {
      problems.push(`The tunnel's ends ${tunnel.sourceIp} and ${tunnel.destinationIp} are of two families.`);
    } else if (formatIp(source) === formatIp(destination)) {
      problems.push(`The tunnel leads from ${tunnel.sourceIp} to itself.`);
    }
  }
  if (!Number.isInteger(tunnel.vni) || tunnel.vni < MIN_VNI || tunnel.vni > MAX_VNI) {
    problems.push(`The VNI ${tunnel.vni} is not from ${MIN_VNI} to ${MAX_VNI}.`);
  }
  const port = tunnel.port ?? 1;
  if (!Number.isInteger(port) || port < 1 || port > 65535) {
    problems.push(`The tunnel's UDP port ${port} is not from 1 to 65535.`);
  }
  if (!isMtu(tunnel.underlayMtuBytes)) {
    problems.push(`The underlay's MTU ${tunnel.underlayMtuBytes} is no whole number from 0 to 65535.`);
  }
  return problems;
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
    // NSM's messages say "" for what they do not say.
    if (text === undefined || text === "") continue;
    const mac = parseMac(text);
    if (!mac) problems.push(`${what}, ${JSON.stringify(text)}, is no MAC address.`);
    else if (!isUnicastMac(mac)) problems.push(`${what}, ${text}, is not unicast.`);
  }
  if (context.srcMac && context.srcMac.toLowerCase() === context.dstMac?.toLowerCase()) {
    problems.push(`Both ends have the MAC address ${context.srcMac}.`);
  }
  return problems;
}

function mtuProblems(wire: Wire): string[] {
  if (wire.context.mtuBytes !== undefined && !isMtu(wire.context.mtuBytes)) {
    return [`The MTU ${wire.context.mtuBytes} is no whole number from 0 to 65535.`];
  }
  const mtuBytes = wireMtu(wire);
  const isV6 = hasFamily(wire, 6);
  const least = isV6 ? 1280 : 68;
  if (mtuBytes >= least) return [];
  const tunnel = [wire.client, wire.endpoint].find((mechanism) => mechanism.type === "VXLAN");
  const isAsked = wire.context.mtuBytes === mtuBytes;
  const why =
    tunnel && !isAsked
      ? `(an underlay of ${tunnel.underlayMtuBytes} bytes leaves after VXLAN over IPv${vxlanFamily(tunnel)})`
      : "bytes";
  const needs = `${isV6 ? "IPv6" : "IPv4"} needs ${least}`;
  return [`The wire's MTU would be ${mtuBytes} ${why}; ${needs}.`];
}

function isMtu(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= 65535;
}

function hasControlCharacter(text: string): boolean {
  return /\p{Cc}/u.test(text);
}
