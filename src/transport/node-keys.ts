import { createHash, generateKeyPairSync, randomBytes, randomUUID, sign, verify } from "node:crypto";
import type { Keys, Random } from "../world/world.ts";

/** SHA-256, and ECDSA on P-256 (`ES256` of RFC 7518, signatures of 64 bytes) with a key of this process. */
export function nodeKeys(): Keys {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const dsaEncoding = "ieee-p1363";
  return {
    digest: (data) => new Uint8Array(createHash("sha256").update(data).digest()),
    sign: (data) => new Uint8Array(sign("sha256", data, { key: privateKey, dsaEncoding })),
    verify: (data, signature) => verify("sha256", data, { key: publicKey, dsaEncoding }, signature),
    uuid: () => randomUUID(),
  };
}

/** From the system's generator: neither `purpose` nor `n` means anything to it. */
export function nodeRandom(): Random {
  return {
    // 53 bits, the precision of a double.
    fraction: () => Number(randomBytes(8).readBigUInt64BE() >> 11n) / 2 ** 53,
    bytes: (_purpose, _n, length) => new Uint8Array(randomBytes(length)),
  };
}
