/** MAC addresses as canonical text: six lower-case pairs with colons. */

export function parseMac(text: string): Uint8Array | undefined {
  return /^([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}$/.test(text)
    ? Uint8Array.from(text.split(":"), (pair) => Number.parseInt(pair, 16))
    : undefined;
}

const PAIRS = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

export function formatMac(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += text === "" ? PAIRS[byte] : `:${PAIRS[byte]}`;
  return text;
}

/** A unicast address is what a device may have: group bit clear, not all zeros. IEEE 802-2014 section 8.2. */
export function isUnicastMac(bytes: Uint8Array): boolean {
  return bytes.length === 6 && ((bytes[0] ?? 1) & 1) === 0 && bytes.some((byte) => byte !== 0);
}
