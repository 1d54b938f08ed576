/** An authority of a test, and X.509 certificates with nothing but a SPIFFE ID: RFC 5280, in the fewest bytes that OpenSSL takes. */
import { createHash, generateKeyPairSync, type KeyObject, sign, X509Certificate } from "node:crypto";
import { NetloomError } from "../errors/errors.ts";
import type { CertificateProof, Proven } from "../world/credentials.ts";
import type { Authority, IssueOptions } from "./credentials-contract.ts";

const DAY_MS = 86_400_000;

/** Object identifiers, encoded. */
const OID = {
  ecdsaWithSha256: [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02],
  commonName: [0x55, 0x04, 0x03],
  subjectAltName: [0x55, 0x1d, 0x11],
  basicConstraints: [0x55, 0x1d, 0x13],
  keyUsage: [0x55, 0x1d, 0x0f],
} as const;

function der(tag: number, ...content: readonly (Uint8Array | readonly number[])[]): Buffer {
  const body = Buffer.concat(content.map((each) => Buffer.from(each)));
  const { length } = body;
  const head =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...head]), body]);
}

const sequence = (...content: readonly (Uint8Array | readonly number[])[]): Buffer => der(0x30, ...content);
const octets = (content: Uint8Array): Buffer => der(0x04, content);
const oid = (content: readonly number[]): Buffer => der(0x06, content);
const ALGORITHM = sequence(oid(OID.ecdsaWithSha256));

function nameOf(text: string): Buffer {
  if (text === "") return sequence();
  return sequence(der(0x31, sequence(oid(OID.commonName), der(0x0c, Buffer.from(text)))));
}

function time(atMs: number): Buffer {
  const text = new Date(atMs).toISOString().replace(/[-:T]|\.\d+/g, "");
  return der(0x18, Buffer.from(text));
}

function extension(id: readonly number[], content: Uint8Array): Buffer {
  return sequence(oid(id), der(0x01, [0xff]), octets(content));
}

interface Certified {
  readonly subject: string;
  readonly issuer: string;
  readonly publicKey: KeyObject;
  readonly signer: KeyObject;
  readonly notAfterMs: number;
  readonly extensions: readonly Buffer[];
}

function certify({ subject, issuer, publicKey, signer, notAfterMs, extensions }: Certified): Uint8Array {
  const spki = publicKey.export({ type: "spki", format: "der" });
  const serial = createHash("sha256").update(spki).digest().subarray(0, 8);
  const body = sequence(
    der(0xa0, der(0x02, [2])),
    der(0x02, [0x01], serial),
    ALGORITHM,
    nameOf(issuer),
    sequence(time(notAfterMs - 2 * DAY_MS), time(notAfterMs)),
    nameOf(subject),
    spki,
    der(0xa3, sequence(...extensions)),
  );
  return new Uint8Array(sequence(body, ALGORITHM, der(0x03, [0], sign("sha256", body, signer))));
}

/** The end certificate's SPIFFE ID and key. What leads from it to an authority OpenSSL has looked at. */
function proveSpiffe([own]: readonly Uint8Array[]): Proven {
  const certificate = new X509Certificate(own ?? new Uint8Array());
  const id = /^URI:(spiffe:\/\/\S+)$/.exec(certificate.subjectAltName ?? "")?.[1];
  if (id === undefined) throw new NetloomError("UNAUTHENTICATED", "its certificate has no SPIFFE ID");
  const publicKey = certificate.publicKey.export({ type: "spki", format: "der" });
  return { principal: { kind: "spiffe", id }, publicKey: new Uint8Array(publicKey) };
}

export class X509Authority implements Authority {
  readonly name: string;
  readonly certificate: Uint8Array;
  readonly #key: KeyObject;

  constructor(name: string) {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    this.name = name;
    this.#key = privateKey;
    this.certificate = certify({
      subject: name,
      issuer: name,
      publicKey,
      signer: privateKey,
      notAfterMs: new Date().getTime() + DAY_MS,
      extensions: [
        extension(OID.basicConstraints, sequence(der(0x01, [0xff]))),
        extension(OID.keyUsage, der(0x03, [1, 0x06])),
      ],
    });
  }

  issue(
    id: string,
    { trusts = [this], isExpired = false, prove = proveSpiffe }: IssueOptions = {},
  ): CertificateProof {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const certificate = certify({
      subject: "",
      issuer: this.name,
      publicKey,
      signer: this.#key,
      notAfterMs: new Date().getTime() + (isExpired ? -1_000 : DAY_MS),
      extensions: [
        extension(OID.subjectAltName, sequence(der(0x86, Buffer.from(id)))),
        extension(OID.keyUsage, der(0x03, [7, 0x80])),
      ],
    });
    return {
      kind: "certificate",
      chain: [certificate],
      key: new Uint8Array(privateKey.export({ type: "pkcs8", format: "der" })),
      authorities: trusts.map((each) => each.certificate),
      prove,
    };
  }
}
