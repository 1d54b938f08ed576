/** Entries of the maps `tunnels`, `arrivals4` and `arrivals6`. Layout: datapath/include/tunnel.h. */
import { formatIp, mustParseIp } from "../../net/ip.ts";
import type { Guard } from "../../kernel/guard.ts";
import * as k from "../netlink/constants.ts";

/** The tunnel of one device in the data path. */
export interface TunnelEntry {
  readonly vni: number;
  readonly local: string;
  readonly remote: string;
  /** UDP port of both sides. */
  readonly port: number;
  /** The MAC of the workload's device, for the short cut. */
  readonly mac?: string;
  readonly needsChecksum?: true;
  readonly isAlone?: true;
  /** The traffic that may come out of the tunnel. */
  readonly guard?: Guard;
}

/** The destination of arriving packets. */
export interface ArrivalEntry {
  readonly ifindex: number;
  readonly isAlone?: true;
}

export const TUNNEL_BYTES = 64;
export const ARRIVAL_BYTES = 8;
export const ARRIVAL_KEY_BYTES = { 4: 16, 6: 40 } as const;

const SUM_AT = 56;
const FAMILY_AT = 60;
const FLAGS_AT = 61;
const PORT_AT = 62;
const CHECKSUM = 2;
const ALONE = 1;

/** `::ffff:0:0/96` */
const MAPPED = Buffer.from("00000000000000000000ffff", "hex");

const UDP_BYTES = 8;
const TTL = 64;
/** The VNI is valid (RFC 7348 section 5). */
const VXLAN_FLAGS = 0x08;

/** The value of `tunnels`: a template of the outer headers (RFC 791, 8200, 768, 7348), and how to use it. */
export function encodeTunnel(entry: TunnelEntry): Buffer {
  const value = Buffer.alloc(TUNNEL_BYTES);
  const [local, remote] = [mustParseIp(entry.local), mustParseIp(entry.remote)];
  const is6 = local.family === 6;
  if (is6) {
    value[0] = 0x60;
    value[6] = k.IPPROTO_UDP;
    value[7] = TTL;
    value.set(local.bytes, 8);
    value.set(remote.bytes, 24);
  } else {
    value[0] = 0x45;
    value[8] = TTL;
    value[9] = k.IPPROTO_UDP;
    value.set(local.bytes, 12);
    value.set(remote.bytes, 16);
    value.writeUInt32LE(sumOfWords(value.subarray(0, 20)), SUM_AT);
  }
  const udp = is6 ? 40 : 20;
  value.writeUInt16BE(entry.port, udp + 2);
  value[udp + UDP_BYTES] = VXLAN_FLAGS;
  value.writeUInt32BE(entry.vni * 256, udp + UDP_BYTES + 4);
  value.writeUInt16LE(entry.port, PORT_AT);
  value[FAMILY_AT] = is6 ? k.AF_INET6 : k.AF_INET;
  value[FLAGS_AT] = entry.needsChecksum ? CHECKSUM : 0;
  return value;
}

export function decodeTunnel(value: Buffer): TunnelEntry {
  const is6 = value[FAMILY_AT] === k.AF_INET6;
  const [at, bytes, udp] = is6 ? [8, 16, 40] : [12, 4, 20];
  const address = (from: number): string =>
    formatIp({ family: is6 ? 6 : 4, bytes: Uint8Array.from(value.subarray(from, from + bytes)) });
  return {
    local: address(at),
    remote: address(at + bytes),
    port: value.readUInt16BE(udp + 2),
    vni: value.readUInt32BE(udp + UDP_BYTES + 4) / 256,
    ...(((value[FLAGS_AT] ?? 0) & CHECKSUM) !== 0 && { needsChecksum: true }),
  };
}

/** The key of `arrivals4` or `arrivals6`, with the fields as in packets from the other end. */
export function arrivalKeyOf({
  local,
  remote,
  vni,
  port,
}: Pick<TunnelEntry, "local" | "remote" | "vni" | "port">): { readonly family: 4 | 6; readonly key: Buffer } {
  const [source, destination] = [mustParseIp(remote), mustParseIp(local)];
  const { family } = destination;
  const key = Buffer.alloc(ARRIVAL_KEY_BYTES[family]);
  const bytes = source.bytes.length;
  key.set(source.bytes, 0);
  key.set(destination.bytes, bytes);
  key.writeUInt32BE(vni * 256, 2 * bytes);
  key.writeUInt16BE(port, 2 * bytes + 4);
  return { family, key };
}

/** Decodes a key of `strangers`: as in `arrivals6`, with IPv4 addresses as IPv4-mapped ones (RFC 4291 section 2.5.5.2). */
export function decodeStrangerKey(key: Buffer): {
  readonly source: string;
  readonly destination: string;
  readonly vni: number;
  readonly port: number;
} {
  const address = (at: number): string => {
    const bytes = Uint8Array.from(key.subarray(at, at + 16));
    const is4 = key.subarray(at, at + MAPPED.length).equals(MAPPED);
    return formatIp(is4 ? { family: 4, bytes: bytes.slice(12) } : { family: 6, bytes });
  };
  return {
    source: address(0),
    destination: address(16),
    vni: key.readUInt32BE(32) / 256,
    port: key.readUInt16BE(36),
  };
}

export function encodeArrival({ ifindex, isAlone }: ArrivalEntry): Buffer {
  const value = Buffer.alloc(ARRIVAL_BYTES);
  value.writeUInt32LE(ifindex, 0);
  value.writeUInt32LE(isAlone ? ALONE : 0, 4);
  return value;
}

export function decodeArrival(value: Buffer): ArrivalEntry {
  return {
    ifindex: value.readUInt32LE(0),
    ...((value.readUInt32LE(4) & ALONE) !== 0 && { isAlone: true }),
  };
}

/** The partial checksum that the program continues: words in memory order, not folded (RFC 1071). */
function sumOfWords(bytes: Buffer): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += bytes.readUInt16LE(at);
  return sum;
}
