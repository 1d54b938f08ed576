/**
 * Echo messages of ICMP (RFC 792) and ICMPv6 (RFC 4443 section 4), as pure functions over bytes.
 *
 *   u8 type | u8 code | u16 checksum | u16 identifier | u16 sequence | payload
 */

export interface Echo {
  readonly identifier: number;
  readonly sequence: number;
  readonly payload: Uint8Array;
}

const ECHO_REQUEST = { 4: 8, 6: 128 } as const;
const ECHO_REPLY = { 4: 0, 6: 129 } as const;
const HEADER_BYTES = 8;

/** An echo request. The checksum of ICMPv6 covers addresses, so the kernel fills it in (RFC 3542 section 3.1). */
export function encodeEchoRequest(family: 4 | 6, echo: Echo): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + echo.payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, ECHO_REQUEST[family]);
  view.setUint16(4, echo.identifier);
  view.setUint16(6, echo.sequence);
  bytes.set(echo.payload, HEADER_BYTES);
  if (family === 4) view.setUint16(2, internetChecksum(bytes));
  return bytes;
}

/**
 * Reads the data of a raw socket: with its IPv4 header, or from the ICMPv6 header on. `undefined` for anything but a
 * complete and valid echo reply. Never throws.
 */
export function decodeEchoReply(family: 4 | 6, packet: Uint8Array): Echo | undefined {
  const headerBytes = family === 4 ? ipv4HeaderBytes(packet) : 0;
  if (headerBytes === undefined || packet.length < headerBytes + HEADER_BYTES) return undefined;
  const message = packet.subarray(headerBytes);
  const view = new DataView(message.buffer, message.byteOffset, message.length);
  if (view.getUint8(0) !== ECHO_REPLY[family] || view.getUint8(1) !== 0) return undefined;
  // The kernel has already checked the checksum of ICMPv6.
  if (family === 4 && internetChecksum(message) !== 0) return undefined;
  return { identifier: view.getUint16(4), sequence: view.getUint16(6), payload: message.slice(HEADER_BYTES) };
}

/** Length of the IPv4 header of an ICMP packet; `undefined` if it is invalid. RFC 791 section 3.1. */
function ipv4HeaderBytes(packet: Uint8Array): number | undefined {
  const first = packet[0] ?? 0;
  const bytes = (first & 0x0f) * 4;
  return first >> 4 === 4 && bytes >= 20 && packet[9] === 1 ? bytes : undefined;
}

/** The checksum of RFC 1071. 0 for a message that contains its correct checksum. */
export function internetChecksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += ((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
