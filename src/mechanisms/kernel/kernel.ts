/** KERNEL: a device in the workload's namespace, always one end of a veth pair. Upstream: mechanisms/kernel of api and sdk */
import { quote } from "../../text/problem.ts";
import type { LinkEnd, Netns } from "../../kernel/kernel.ts";
import { interfaceNameProblem } from "../../net/interface-name.ts";
import { parsePrefix } from "../../net/ip.ts";
import { deviceProblems } from "../device-parameters.ts";
import { HOST, type Half, type Place } from "../half.ts";
import { linkLocal } from "../link-local.ts";
import type { LocalType, TypedMechanism } from "../mechanism-type.ts";
import { workloadAlias } from "../naming.ts";
import { COMMON, isMtu, type ParameterMap, type Parsed } from "../parameters.ts";
import type { Side } from "../side.ts";
import { hostEnd } from "./host-end.ts";

/** A device in a workload of this host. */
export interface KernelMechanism extends TypedMechanism {
  readonly type: "KERNEL";
  readonly netns: Netns;
  readonly interfaceName: string;
  /** The largest MTU that this end wants, in bytes. Not a parameter of NSM. */
  readonly mtuBytes?: number;
  /** The workload accepts router advertisements and redirects from the wire. Default: false. */
  readonly routerAdvertisements?: boolean;
  /** The workload may ask a DHCP server at the other end. Default: false. */
  readonly dhcp?: boolean;
  /** The workload forwards packets that arrive on the device. Default: false, as far as the wire is concerned. */
  readonly forwarding?: boolean;
  /** The routes of the wire apply only to packets from these prefixes. */
  readonly sources?: readonly string[];
}

/** Netloom's own parameter, "true" or absent: the workload trusts routers at the other end. */
const ROUTER_ADVERTISEMENTS = "routerAdvertisements";

/** Netloom's own parameter, "true" or absent: answers of DHCP servers at the other end pass. */
const DHCP = "dhcp";

/** Netloom's own parameter, "true" or absent: the workload forwards packets that arrive on the device. */
const FORWARDING = "forwarding";

/** Netloom's own parameter, prefixes separated by commas: the wire's routes apply only to packets from them. */
const SOURCES = "sources";

export const kernel: Readonly<LocalType<KernelMechanism>> = {
  type: "KERNEL",
  cls: "LOCAL",
  document: "kernel",
  options: [],
  read,
  write: ({ netns, interfaceName, routerAdvertisements, dhcp, forwarding, sources = [] }) => ({
    [COMMON.inodeUrl]: netns,
    [COMMON.name]: interfaceName,
    ...(routerAdvertisements && { [ROUTER_ADVERTISEMENTS]: "true" }),
    ...(dhcp && { [DHCP]: "true" }),
    ...(forwarding && { [FORWARDING]: "true" }),
    ...(sources.length > 0 && { [SOURCES]: sources.join(",") }),
  }),
  problems,
  mtuBytes: ({ mtuBytes }) => mtuBytes,
  half,
  carrier: "veth",
  accept: (offered, newName) => ({ ...offered, [COMMON.name]: offered[COMMON.name] || newName() }),
  forWorkload: ({ netns, port }, { name, routerAdvertisements, dhcp, forwarding, sources = [] }) =>
    port
      ? undefined
      : {
          [COMMON.inodeUrl]: netns,
          [COMMON.name]: name,
          [ROUTER_ADVERTISEMENTS]: routerAdvertisements ? "true" : "",
          [DHCP]: dhcp ? "true" : "",
          [FORWARDING]: forwarding ? "true" : "",
          [SOURCES]: sources.join(","),
        },
  device: ({ netns, interfaceName, sources }) => ({ netns, interfaceName, ...(sources && { sources }) }),
  servedBy: ({ routerAdvertisements, dhcp }) => [
    ...(dhcp ? (["dhcp"] as const) : []),
    ...(routerAdvertisements ? (["routers"] as const) : []),
  ],
};

function read(parameters: ParameterMap): Parsed<KernelMechanism> {
  const { [COMMON.inodeUrl]: inodeUrl = "", [COMMON.name]: name = "" } = parameters;
  const found = deviceProblems(inodeUrl, name);
  const wrong = (parameters[SOURCES] ?? "").split(",").find((each) => each !== "" && !parsePrefix(each));
  if (wrong !== undefined) found.push(`the source ${quote(wrong)} is not a prefix`);
  if (found.length > 0) return { ok: false, problems: found };
  const isTrusting = parameters[ROUTER_ADVERTISEMENTS] === "true";
  const sources = (parameters[SOURCES] ?? "").split(",").filter((each) => each !== "");
  return {
    ok: true,
    value: {
      type: "KERNEL",
      netns: inodeUrl as Netns,
      interfaceName: name,
      ...(isTrusting && { routerAdvertisements: true }),
      ...(parameters[DHCP] === "true" && { dhcp: true }),
      ...(parameters[FORWARDING] === "true" && { forwarding: true }),
      ...(sources.length > 0 && { sources }),
    },
  };
}

function problems({ netns, interfaceName, mtuBytes }: KernelMechanism, side: Side): string[] {
  const found: string[] = [];
  const name = interfaceNameProblem(interfaceName);
  if (name) found.push(`The ${side}'s interface name ${JSON.stringify(interfaceName)} ${name}.`);
  if (!isNetns(netns)) {
    found.push(
      `The ${side}'s namespace ${JSON.stringify(netns)} is neither file:///path nor inode://device/inode.`,
    );
  }
  if (mtuBytes !== undefined && !isMtu(mtuBytes)) {
    found.push(`The ${side}'s MTU ${mtuBytes} is not a whole number from 0 to 65535.`);
  }
  return found;
}

function isNetns(netns: Netns): boolean {
  if (netns === HOST) return true;
  if (netns.startsWith("file://")) return netns.startsWith("file:///") && !/\p{Cc}/u.test(netns);
  return /^inode:\/\/[0-9]+\/[0-9]+$/.test(netns);
}

function half(
  { netns, interfaceName, routerAdvertisements, forwarding }: KernelMechanism,
  place: Place,
): Half {
  const { connectionId, side, mtuBytes, macs } = place;
  const link: LinkEnd = {
    netns,
    name: interfaceName,
    mac: macs[side],
    mtuBytes,
    alias: workloadAlias(connectionId, side),
    ...linkLocal(mtuBytes),
  };
  const end = hostEnd(place);
  return {
    devices: [{ kind: "veth", ends: [link, end] }],
    port: { end },
    workload: { link, trust: { routerAdvertisements }, forwarding },
  };
}
