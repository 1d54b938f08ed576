/** Converts certificates between Netloom's form, which is DER, and Node's. */
import type { DetailedPeerCertificate, SecureContextOptions } from "node:tls";
import { constants } from "node:crypto";
import type { CertificateProof } from "../world/credentials.ts";

/** Limit on the length of a chain. Honest chains are shorter. */
const MAX_CHAIN = 16;

/** The TLS options for a proof, on either side. */
export function tlsOptions(proof: CertificateProof): SecureContextOptions {
  return {
    key: pem("PRIVATE KEY", proof.key),
    cert: proof.chain.map((der) => pem("CERTIFICATE", der)).join(""),
    ca: proof.authorities.map((der) => pem("CERTIFICATE", der)),
    minVersion: "TLSv1.2",
    // A resumed session would rely on the proof of the first one.
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}

/** The certificates that a peer has shown, and those with which Node completed the chain; the peer's own first. */
export function chainOf(certificate: DetailedPeerCertificate): Uint8Array[] {
  const chain: Uint8Array[] = [];
  let each: DetailedPeerCertificate | undefined = certificate;
  while (each?.raw && chain.length < MAX_CHAIN) {
    chain.push(new Uint8Array(each.raw));
    // A root certificate is its own issuer.
    each = each.issuerCertificate === each ? undefined : each.issuerCertificate;
  }
  return chain;
}

function pem(label: string, der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ""].join("\n");
}
