/** Certificates on their way between our form, which is DER, and Node's. */
import type { DetailedPeerCertificate, SecureContextOptions } from "node:tls";
import { constants } from "node:crypto";
import type { CertificateProof } from "../world/credentials.ts";

/** Longer chains come from nobody honest. */
const MAX_CHAIN = 16;

/** What TLS needs of a proof, on either side. */
export function tlsOptions(proof: CertificateProof): SecureContextOptions {
  return {
    key: pem("PRIVATE KEY", proof.key),
    cert: proof.chain.map((der) => pem("CERTIFICATE", der)).join(""),
    ca: proof.authorities.map((der) => pem("CERTIFICATE", der)),
    minVersion: "TLSv1.2",
    // A session that goes on later would go on with what was proven then.
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}

/** The certificates that a peer has shown, and what Node has led them to; the peer's own first. */
export function chainOf(certificate: DetailedPeerCertificate): Uint8Array[] {
  const chain: Uint8Array[] = [];
  let each: DetailedPeerCertificate | undefined = certificate;
  while (each?.raw && chain.length < MAX_CHAIN) {
    chain.push(new Uint8Array(each.raw));
    // An authority is its own issuer.
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
