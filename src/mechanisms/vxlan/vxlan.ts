/**
 * VXLAN between two forwarders (RFC 7348). Upstream: mechanisms/vxlan of api, sdk and sdk-vpp.
 *
 * ```
 *  near (the client's host)                             far (the endpoint's host)
 *    src_ip, src_port, MTU, vni: free here   ------->     vni kept if it is free here, else "is taken"
 *    another vni, three requests in all      <-------     dst_ip, dst_port, MTU: at most that of the way back
 *    MTU of the way there, if it is smaller  ------->
 * ```
 */
import { quote } from "../../text/problem.ts";
import { z } from "zod";
import type { KernelObject, Tunnel } from "../../kernel/kernel.ts";
import { endsOf, isDevice, ofKind } from "../../kernel/objects.ts";
import { MAX_VNI, MIN_VNI, VXLAN_OVERHEAD_BYTES, VXLAN_PORT } from "../../kernel/objects/vxlan.ts";
import { canonicalIp, familyOf, formatIp, parseIp } from "../../net/ip.ts";
import { type Half, HOST, type Place } from "../half.ts";
import type { FoundTunnel, RemoteType, TunnelFacts, TypedMechanism } from "../mechanism-type.ts";
import { deviceName, halfAlias, readAlias, sideBeside } from "../naming.ts";
import { COMMON, isMtu, type ParameterMap, type Parsed, readNumber } from "../parameters.ts";
import type { Side } from "../side.ts";
import { accept, offers } from "./negotiate.ts";
import { vxlanPortCheck } from "./check-port.ts";
import { sharedDevice, standIn } from "./shared-device.ts";
import { portOf, portOption, VNI, ZERO_CHECKSUMS } from "./values.ts";

/** A tunnel to another host, with the parameters of NSM. */
export interface VxlanMechanism extends TypedMechanism {
  readonly type: "VXLAN";
  /** VTEP of the client's host. */
  readonly sourceIp: string;
  /** VTEP of the endpoint's host. */
  readonly destinationIp: string;
  /** UDP port of both sides. Default: 4789. */
  readonly port?: number;
  /** 1 to 2^24 - 1, unique in a host for its port and address family. */
  readonly vni: number;
  /** MTU of the path between the hosts, in bytes; the wire gets 54 bytes less over IPv4 and 74 less over IPv6. */
  readonly underlayMtuBytes: number;
  /** Whether each host accepts IPv6 packets without a UDP checksum (RFC 6935). Not a parameter of NSM. */
  readonly sourceTakesZeroChecksums?: boolean;
  readonly destinationTakesZeroChecksums?: boolean;
}

/** VNIs from here on are for LANs, whose frames come from many hosts; those of a wire come from one. */
const FIRST_LAN_VNI = 0xf0_0000;

export const vxlan: Readonly<RemoteType<VxlanMechanism>> = {
  type: "VXLAN",
  cls: "REMOTE",
  document: "vxlan",
  carrier: "vxlan",
  options: [portOption],
  identifier: {
    key: VNI,
    noun: "VNI",
    // Other programs' VNIs are typed by people, so they are small.
    firstDrawn: 4_096,
    lastDrawn: FIRST_LAN_VNI - 1,
    last: MAX_VNI,
    isHeldBy: (object, vni) => ofKind([object], "program").some(({ tunnel }) => tunnel?.vni === vni),
  },
  deviceKinds: ["vxlan"],
  labKeys: {
    vni: z
      .int({ error: "expected a whole number" })
      .min(MIN_VNI, `VNIs start at ${MIN_VNI}`)
      .max(MAX_VNI, `a VNI has 24 bits: at most ${MAX_VNI}`)
      .optional()
      .describe("VXLAN network identifier of a wire between hosts. Default: a free one."),
  },
  check: vxlanPortCheck,
  overheadBytes: (family) => VXLAN_OVERHEAD_BYTES[family],
  udpPort: (settings) => settings[portOption.key] ?? VXLAN_PORT,
  offers,
  accept,
  read,
  write: (tunnel) => ({
    [COMMON.sourceIp]: tunnel.sourceIp,
    [COMMON.destinationIp]: tunnel.destinationIp,
    [COMMON.sourcePort]: String(tunnel.port ?? VXLAN_PORT),
    [COMMON.destinationPort]: String(tunnel.port ?? VXLAN_PORT),
    [VNI]: String(tunnel.vni),
    [COMMON.mtu]: String(mtuBytes(tunnel)),
    ...(tunnel.sourceTakesZeroChecksums && { [ZERO_CHECKSUMS.source]: "true" }),
    ...(tunnel.destinationTakesZeroChecksums && { [ZERO_CHECKSUMS.destination]: "true" }),
  }),
  problems,
  mtuBytes,
  whyMtu: (tunnel) =>
    `an underlay of ${tunnel.underlayMtuBytes} bytes leaves after VXLAN over IPv${familyOf(tunnel.sourceIp)}`,
  half,
  vteps: ({ sourceIp, destinationIp }) => ({ source: sourceIp, destination: destinationIp }),
  idOf: ({ vni }) => vni,
  tunnel: ({ id, ...facts }: TunnelFacts) => ({
    type: "VXLAN",
    ...facts,
    vni: id,
    ...(familyOf(facts.sourceIp) === 6 && {
      sourceTakesZeroChecksums: true,
      destinationTakesZeroChecksums: true,
    }),
  }),
  found,
  // Release 0.1.0 had a device for each tunnel.
  former: (objects) =>
    ofKind(objects, "vxlan").map((device) => [foundTunnel(device, readAlias(device.alias)?.side), device]),
  standIns: (objects) => ofKind(objects, "external-vxlan").flatMap(({ port }, i) => standIn(port, i)),
  formerDevice: ({ vni, local, remote, port }, { connectionId, side, mac, mtuBytes: mtu }) => ({
    kind: "vxlan",
    netns: HOST,
    name: deviceName("nlx", [connectionId, side, vni, port, familyOf(local)]),
    mac,
    mtuBytes: mtu,
    alias: halfAlias("vxlan", connectionId, side),
    vni,
    local,
    remote,
    port,
  }),
};

function read(parameters: ParameterMap): Parsed<VxlanMechanism> {
  const { [COMMON.sourceIp]: sourceIp = "", [COMMON.destinationIp]: destinationIp = "" } = parameters;
  const found = [
    ...(parseIp(sourceIp) ? [] : [`src_ip ${quote(sourceIp)} is not an address`]),
    ...(parseIp(destinationIp) ? [] : [`dst_ip ${quote(destinationIp)} is not an address`]),
  ];
  const vni = readNumber(parameters[VNI], MAX_VNI);
  if (!vni) found.push(`vni ${quote(parameters[VNI] ?? "")} is not from ${MIN_VNI} to ${MAX_VNI}`);
  const [sourcePort, destinationPort] = [
    parameters[COMMON.sourcePort],
    parameters[COMMON.destinationPort],
  ] as const;
  const port = portOf(sourcePort);
  if (port === undefined || port !== portOf(destinationPort)) {
    found.push(
      `the UDP ports ${quote(sourcePort ?? "")} and ${quote(destinationPort ?? "")} are not one and the same`,
    );
  }
  const mtu = readNumber(parameters[COMMON.mtu] ?? "0", 65_535);
  if (mtu === undefined) found.push(`MTU ${quote(parameters[COMMON.mtu] ?? "")} is not a number`);
  if (found.length > 0 || !vni || port === undefined) return { ok: false, problems: found };
  const overhead = VXLAN_OVERHEAD_BYTES[familyOf(sourceIp)];
  const underlayMtuBytes = (mtu || 1_500 - overhead) + overhead;
  return {
    ok: true,
    value: {
      type: "VXLAN",
      sourceIp,
      destinationIp,
      port,
      vni,
      underlayMtuBytes,
      ...(parameters[ZERO_CHECKSUMS.source] === "true" && { sourceTakesZeroChecksums: true }),
      ...(parameters[ZERO_CHECKSUMS.destination] === "true" && { destinationTakesZeroChecksums: true }),
    },
  };
}

/** The largest packet that fits into the tunnel, as upstream counts. */
function mtuBytes(tunnel: VxlanMechanism): number {
  return tunnel.underlayMtuBytes - VXLAN_OVERHEAD_BYTES[familyOf(tunnel.sourceIp)];
}

function problems(tunnel: VxlanMechanism): string[] {
  const found: string[] = [];
  const [source, destination] = [parseIp(tunnel.sourceIp), parseIp(tunnel.destinationIp)];
  if (!source) found.push(`The tunnel's source ${JSON.stringify(tunnel.sourceIp)} is not an IP address.`);
  if (!destination) {
    found.push(`The tunnel's destination ${JSON.stringify(tunnel.destinationIp)} is not an IP address.`);
  }
  if (source && destination) {
    if (source.family !== destination.family) {
      found.push(`The tunnel's ends ${tunnel.sourceIp} and ${tunnel.destinationIp} are of two families.`);
    } else if (formatIp(source) === formatIp(destination)) {
      found.push(`The tunnel leads from ${tunnel.sourceIp} to itself.`);
    }
  }
  if (!Number.isInteger(tunnel.vni) || tunnel.vni < MIN_VNI || tunnel.vni > MAX_VNI) {
    found.push(`The VNI ${tunnel.vni} is not from ${MIN_VNI} to ${MAX_VNI}.`);
  }
  const port = tunnel.port ?? 1;
  if (!Number.isInteger(port) || port < 1 || port > 65535) {
    found.push(`The tunnel's UDP port ${port} is not from 1 to 65535.`);
  }
  if (!isMtu(tunnel.underlayMtuBytes)) {
    found.push(`The underlay's MTU ${tunnel.underlayMtuBytes} is not a whole number from 0 to 65535.`);
  }
  return found;
}

/** An entry of the data path on the device of the other half, and the device that all tunnels share. */
function half(tunnel: VxlanMechanism, { side }: Place): Half {
  const { vni, port = VXLAN_PORT } = tunnel;
  const [source, destination] = [canonicalIp(tunnel.sourceIp), canonicalIp(tunnel.destinationIp)];
  const [local, remote] = side === "client" ? [destination, source] : [source, destination];
  const isTaken = side === "client" ? tunnel.sourceTakesZeroChecksums : tunnel.destinationTakesZeroChecksums;
  // Every host accepts them over IPv4 (RFC 7348 section 4.1).
  const needsChecksum = familyOf(remote) === 6 && !isTaken;
  return {
    devices: [],
    shared: sharedDevice(port),
    port: {
      tunnel: {
        vni,
        local,
        remote,
        port,
        ...(needsChecksum && { needsChecksum }),
      },
    },
  };
}

/**
 * The tunnels of one wire. A tunnel on a workload's pair leads away from that workload; on a pair between two tunnels it leads to
 * the side of its end.
 */
function found(objects: readonly KernelObject[]): FoundTunnel[] {
  const ends = objects.filter(isDevice).flatMap(endsOf);
  return ofKind(objects, "program").flatMap(({ netns, link, tunnel }) => {
    if (!tunnel) return [];
    const alias = ends.find((end) => end.netns === netns && end.name === link)?.alias ?? "";
    const read = readAlias(alias);
    return [foundTunnel(tunnel, read && sideBeside(read))];
  });
}

function foundTunnel({ vni, local, remote, port }: Tunnel, side: Side | undefined): FoundTunnel {
  const [source, destination] = side === "client" ? [remote, local] : [local, remote];
  return {
    type: "VXLAN",
    side,
    id: vni,
    local,
    remote,
    parameters: {
      [COMMON.sourceIp]: source,
      [COMMON.destinationIp]: destination,
      [COMMON.sourcePort]: String(port),
      [COMMON.destinationPort]: String(port),
      [VNI]: String(vni),
    },
  };
}
