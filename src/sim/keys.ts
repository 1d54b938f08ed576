import type { Keys } from "../world/world.ts";
import { Hash } from "./hash.ts";
import type { Life } from "./life.ts";

const DIGEST_BYTES = 32;
/** The length of an ES256 signature, RFC 7518 section 3.4. */
const SIGNATURE_BYTES = 64;
/** Similar to the length of a SubjectPublicKeyInfo of P-256, which is 91. */
const PUBLIC_KEY_BYTES = 88;

/**
 * Keyed hashes in the form of real signatures (rule R8). Anybody with a public key could sign with it, but no simulated
 * program does. The key belongs to the host, and survives a crash.
 */
export class SimKeys implements Keys {
  readonly #life: Life;
  #uuids = 0;

  constructor(life: Life) {
    this.#life = life;
  }

  digest(data: Uint8Array): Uint8Array {
    this.#life.check("keys.digest");
    return expand("digest", data, DIGEST_BYTES);
  }

  sign(data: Uint8Array): Uint8Array {
    this.#life.check("keys.sign");
    return signatureOf(data, this.#publicKey());
  }

  publicKey(): Uint8Array {
    this.#life.check("keys.publicKey");
    return this.#publicKey();
  }

  verify(data: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): boolean {
    this.#life.check("keys.verify");
    const expected = signatureOf(data, publicKey);
    return (
      publicKey.length === PUBLIC_KEY_BYTES &&
      signature.length === expected.length &&
      expected.every((byte, index) => byte === signature[index])
    );
  }

  uuid(): string {
    this.#life.check("keys.uuid");
    const { scheduler, host, number } = this.#life;
    const bytes = expand(
      `uuid\0${scheduler.seed}\0${host}\0${number}\0${this.#uuids++}`,
      new Uint8Array(),
      16,
    );
    bytes[6] = 0x40 | ((bytes[6] ?? 0) & 0x0f);
    bytes[8] = 0x80 | ((bytes[8] ?? 0) & 0x3f);
    const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
  }

  #publicKey(): Uint8Array {
    const { scheduler, host } = this.#life;
    return expand(`key\0${scheduler.seed}\0${host}`, new Uint8Array(), PUBLIC_KEY_BYTES);
  }
}

function signatureOf(data: Uint8Array, publicKey: Uint8Array): Uint8Array {
  return expand(`signature\0${publicKey.join()}`, data, SIGNATURE_BYTES);
}

function expand(key: string, data: Uint8Array, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  for (let offset = 0; offset < length; offset += 8) {
    const [a, b] = new Hash().update(`${key}\0${offset}\0`).updateBytes(data).lanes();
    view.setUint32(offset, a);
    view.setUint32(offset + 4, b);
  }
  return bytes;
}
