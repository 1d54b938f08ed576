const encoder = new TextEncoder();

/**
 * A 64-bit hash of text, for names, MACs and table numbers that both ends of a wire derive independently. Not for secrets:
 * an attacker who chooses the text can find collisions. FNV-1a, RFC 9923 section 6, with a final mix (`fmix64` of
 * MurmurHash3) because the upper bits of FNV-1a alone are poor for short texts.
 */
export function hash64(text: string): bigint {
  return hashBytes64(encoder.encode(text));
}

/** `hash64` of bytes. For a text, pass its UTF-8. */
export function hashBytes64(bytes: Uint8Array): bigint {
  // Two 32-bit halves with exact products: a BigInt for each byte would take ten times as long.
  let [high, low] = [0xcbf29ce4, 0x84222325];
  for (const byte of bytes) {
    low = (low ^ byte) >>> 0;
    // Multiply by the FNV prime, 2^40 + 0x1b3.
    const product = low * 0x1b3;
    high = (high * 0x1b3 + Math.floor(product / 2 ** 32) + ((low << 8) >>> 0)) >>> 0;
    low = product >>> 0;
  }
  let hash = (BigInt(high) << 32n) | BigInt(low);
  hash = BigInt.asUintN(64, (hash ^ (hash >> 33n)) * 0xff51afd7ed558ccdn);
  hash = BigInt.asUintN(64, (hash ^ (hash >> 33n)) * 0xc4ceb9fe1a85ec53n);
  return hash ^ (hash >> 33n);
}
