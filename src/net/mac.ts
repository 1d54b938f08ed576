/** MAC addresses as canonical text: six lower-case hexadecimal pairs with colons. */
import { hash64 } from "./hash.ts";

export function parseMac(text: string): Uint8Array | undefined {
  if (!/^([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}$/.test(text)) return undefined;
  const bytes = new Uint8Array(6);
  for (let i = 0; i < 6; i++) bytes[i] = Number.parseInt(text.slice(3 * i, 3 * i + 2), 16);
  return bytes;
}

const PAIRS = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

export function formatMac(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += text === "" ? PAIRS[byte] : `:${PAIRS[byte]}`;
  return text;
}

/** Is this a valid address for a device: group bit clear, not all zeros? IEEE 802-2014 section 8.2. */
export function isUnicastMac(bytes: Uint8Array): boolean {
  return bytes.length === 6 && ((bytes[0] ?? 1) & 1) === 0 && bytes.some((byte) => byte !== 0);
}

/** A MAC derived from `parts` alone: locally administered, unicast. */
export function derivedMac(parts: readonly string[]): string {
  const hash = hash64(parts.join("\n"));
  const bytes = Uint8Array.from({ length: 6 }, (_, i) => Number((hash >> BigInt(i * 8)) & 0xffn));
  bytes[0] = ((bytes[0] ?? 0) & 0xfc) | 0x02;
  return formatMac(bytes);
}
