/**
 * A 64-bit hash of text, for names, MACs and table numbers that both ends of a wire derive without asking each other.
 * Not for secrets: whoever may choose the text can find collisions. FNV-1a, RFC 9923 section 6, with a final mix
 * (the `fmix64` of MurmurHash3) because the upper bits of FNV-1a alone are poor for short texts.
 */
export function hash64(text: string): bigint {
  let hash = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(text)) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  }
  hash = BigInt.asUintN(64, (hash ^ (hash >> 33n)) * 0xff51afd7ed558ccdn);
  hash = BigInt.asUintN(64, (hash ^ (hash >> 33n)) * 0xc4ceb9fe1a85ec53n);
  return hash ^ (hash >> 33n);
}
