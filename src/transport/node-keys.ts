import {
  createHash,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  randomUUID,
  sign,
  verify,
} from "node:crypto";
import type { Keys, Random } from "../world/world.ts";

/** OpenSSL's name of P-256. */
const CURVE = "prime256v1";

/** SHA-256, and ECDSA on P-256 (`ES256` of RFC 7518, signatures of 64 bytes) with a key of this process. */
export function nodeKeys(): Keys {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: CURVE });
  const dsaEncoding = "ieee-p1363";
  const own = new Uint8Array(publicKey.export({ type: "spki", format: "der" }));
  return {
    publicKey: () => own.slice(),
    digest: (data) => new Uint8Array(createHash("sha256").update(data).digest()),
    sign: (data) => new Uint8Array(sign("sha256", data, { key: privateKey, dsaEncoding })),
    verify: (data, signature, signer) => {
      const key = readPublicKey(signer);
      return key !== undefined && verify("sha256", data, { key, dsaEncoding }, signature);
    },
    uuid: () => randomUUID(),
  };
}

function readPublicKey(der: Uint8Array): KeyObject | undefined {
  try {
    const key = createPublicKey({ key: Buffer.from(der), type: "spki", format: "der" });
    return key.asymmetricKeyDetails?.namedCurve === CURVE ? key : undefined;
  } catch {
    return undefined;
  }
}

/** Random numbers of the system's generator, which ignores `purpose` and `n`. */
export function nodeRandom(): Random {
  return {
    // 53 bits, the precision of a double.
    fraction: () => Number(randomBytes(8).readBigUInt64BE() >> 11n) / 2 ** 53,
    bytes: (_purpose, _n, length) => new Uint8Array(randomBytes(length)),
  };
}
