/** An authority of the simulated network: its certificates say in JSON who has signed them, and nobody lies. */
import { NetloomError } from "../errors/errors.ts";
import type { Authority, IssueOptions } from "../transport/credentials-contract.ts";
import type { CertificateProof, Proven } from "../world/credentials.ts";

interface Certificate {
  readonly id: string;
  readonly issuer: string;
  readonly key: string;
  readonly isExpired: boolean;
}

const encode = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const decode = (bytes: Uint8Array): Certificate => JSON.parse(new TextDecoder().decode(bytes)) as Certificate;

/** Authorities of one network, told apart by their number. */
export class SimAuthorities {
  #count = 0;

  readonly make = (name: string): Authority => new SimAuthority(`${name} ${this.#count++}`);
}

class SimAuthority implements Authority {
  readonly certificate: Uint8Array;
  readonly #name: string;
  #issued = 0;

  constructor(name: string) {
    this.#name = name;
    this.certificate = encode(name);
  }

  issue(
    id: string,
    { trusts = [this], isExpired = false, prove = proveId }: IssueOptions = {},
  ): CertificateProof {
    const key = `${this.#name} ${this.#issued++}`;
    const authorities = trusts.map(({ certificate }) => certificate);
    const trusted = new Set(authorities.map((each) => new TextDecoder().decode(each)));
    return {
      kind: "certificate",
      chain: [encode({ id, issuer: this.#name, key, isExpired })],
      key: encode(key),
      authorities,
      prove: (chain, atMs) => {
        const shown = decode(chain[0] ?? new Uint8Array());
        if (!trusted.has(JSON.stringify(shown.issuer)))
          throw new NetloomError("UNAUTHENTICATED", `nobody here believes ${shown.issuer}`);
        if (shown.isExpired) throw new NetloomError("UNAUTHENTICATED", "its certificate has expired");
        return prove(chain, atMs);
      },
    };
  }
}

function proveId([own]: readonly Uint8Array[]): Proven {
  const { id, key } = decode(own ?? new Uint8Array());
  return { principal: { kind: "spiffe", id }, publicKey: encode(key) };
}
