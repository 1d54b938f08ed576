/** Mechanisms as the protocol has them. Upstream: api/pkg/api/networkservice/mechanisms */
import type { Mechanism } from "../api/gen/nsm/connection_pb.js";
import { interfaceNameProblem } from "../net/interface-name.ts";
import type { KernelMechanism, VxlanMechanism } from "../forwarder/wire.ts";
import { familyOf, parseIp } from "../net/ip.ts";
import { NetloomError } from "../errors/errors.ts";
import type { Netns } from "../kernel/kernel.ts";
import { MAX_VNI, VXLAN_OVERHEAD_BYTES, VXLAN_PORT } from "../kernel/objects/vxlan.ts";

export const LOCAL = "LOCAL";
export const REMOTE = "REMOTE";
export const KERNEL = "KERNEL";
export const VXLAN = "VXLAN";

/** Frame, IP, UDP and VXLAN headers around an inner packet, and a VLAN tag. */
export function vxlanOverhead(ip: string): number {
  return VXLAN_OVERHEAD_BYTES[familyOf(ip)];
}

/** Parameter of our own, "true" or absent: the workload believes the routers at the other end. */
export const ROUTER_ADVERTISEMENTS = "routerAdvertisements";

/** Parameters `inodeURL`, `name` and `routerAdvertisements`. INVALID_ARGUMENT with all that is wrong. */
export function readKernel({ parameters }: Mechanism): KernelMechanism {
  const { inodeURL = "", name = "" } = parameters;
  const problems: string[] = [];
  if (!/^(file:\/\/\/[^\p{Cc}]{1,1024}|inode:\/\/[0-9]{1,20}\/[0-9]{1,20})$/u.test(inodeURL)) {
    problems.push(`inodeURL ${quote(inodeURL)} is neither file:///path nor inode://device/inode`);
  }
  if (/^file:\/\/\/proc\/(self|thread-self)\//.test(inodeURL)) {
    problems.push(`inodeURL ${quote(inodeURL)} is another namespace for everybody who reads it`);
  }
  const nameProblem = interfaceNameProblem(name);
  if (nameProblem) problems.push(`the interface name ${quote(name)} ${nameProblem}`);
  if (problems.length > 0) throw invalid(KERNEL, problems);
  const isTrusting = parameters[ROUTER_ADVERTISEMENTS] === "true";
  return {
    type: "KERNEL",
    netns: inodeURL as Netns,
    interfaceName: name,
    ...(isTrusting && { routerAdvertisements: true }),
  };
}

/** Parameters `src_ip`, `dst_ip`, `src_port`, `dst_port`, `vni` and `MTU`. INVALID_ARGUMENT with all that is wrong. */
export function readVxlan({ parameters }: Mechanism): VxlanMechanism {
  const { src_ip: sourceIp = "", dst_ip: destinationIp = "" } = parameters;
  const problems = [
    ...(parseIp(sourceIp) ? [] : [`src_ip ${quote(sourceIp)} is no address`]),
    ...(parseIp(destinationIp) ? [] : [`dst_ip ${quote(destinationIp)} is no address`]),
  ];
  const vni = readNumber(parameters["vni"], MAX_VNI);
  if (!vni) problems.push(`vni ${quote(parameters["vni"] ?? "")} is not from 1 to ${MAX_VNI}`);
  const port = portOf(parameters["src_port"]);
  const farPort = portOf(parameters["dst_port"]);
  if (port === undefined || farPort === undefined || port !== farPort) {
    problems.push(
      `the UDP ports ${parameters["src_port"]} and ${parameters["dst_port"]} are not one and the same`,
    );
  }
  const mtuBytes = readNumber(parameters["MTU"] ?? "0", 65_535);
  if (mtuBytes === undefined) problems.push(`MTU ${quote(parameters["MTU"] ?? "")} is no number`);
  if (problems.length > 0 || !vni || port === undefined) throw invalid(VXLAN, problems);
  const underlayMtuBytes = (mtuBytes || 1_500 - vxlanOverhead(sourceIp)) + vxlanOverhead(sourceIp);
  return { type: "VXLAN", sourceIp, destinationIp, port, vni, underlayMtuBytes };
}

/** A UDP port; `VXLAN_PORT` where nobody says one. */
export function portOf(text: string | undefined): number | undefined {
  return text === undefined || text === "" || text === "0" ? VXLAN_PORT : readNumber(text, 65_535);
}

/** A whole number from 0 to `max` in decimal digits. */
export function readNumber(text: string | undefined, max: number): number | undefined {
  if (text === undefined || !/^[0-9]{1,10}$/.test(text)) return undefined;
  const value = Number(text);
  return value <= max ? value : undefined;
}

/** The smaller one; 0 says nothing. */
export function smallerMtu(a: number, b: number): number {
  return a && b ? Math.min(a, b) : a || b;
}

function invalid(type: string, problems: readonly string[]): NetloomError {
  return new NetloomError("INVALID_ARGUMENT", `read mechanism ${type}: ${problems.join(", ")}`);
}

function quote(text: string): string {
  return JSON.stringify(text.length > 64 ? `${text.slice(0, 64)}…` : text);
}
