/** The handshake between accepting a socket and its first message. */
import type { Socket } from "node:net";
import { createServer, type DetailedPeerCertificate, type Server } from "node:tls";
import { NetloomError } from "../errors/errors.ts";
import type { CertificateProof, Credentials, Proven } from "../world/credentials.ts";
import { chainOf, tlsOptions } from "./certificates.ts";
import { descriptorOf } from "./socket.ts";

/** A connection whose peer is known. */
interface Accepted {
  readonly socket: Socket;
  /** Absent if this listener requires no proof. */
  readonly proven?: Proven;
}

type Done = (outcome: Accepted | NetloomError) => void;

/** The handshakes of a listener, each with the credentials at its beginning. */
export class Handshakes {
  readonly #credentials: Credentials;
  readonly #timeoutMs: number;
  readonly #servers = new WeakMap<CertificateProof, Server>();
  /** By the descriptor of the socket: Node does not otherwise tell whose handshake is over. */
  readonly #underWay = new Map<number, Done>();

  constructor(credentials: Credentials, timeoutMs: number) {
    this.#credentials = credentials;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Calls `done` once: with the peer, or with the reason for refusing it, after which the socket is destroyed. Without
   * proofs it does so at once; with certificates when both sides have shown theirs, or after the time limit.
   */
  accept(socket: Socket, done: Done): void {
    const fail = (error: NetloomError): void => {
      socket.destroy();
      done(error);
    };
    try {
      const proof = this.#credentials.current();
      if (proof.kind === "none") return done({ socket });
      this.#begin(socket, proof, fail, done);
    } catch (error) {
      if (!(error instanceof NetloomError)) throw error;
      fail(error);
    }
  }

  #begin(socket: Socket, proof: CertificateProof, fail: (error: NetloomError) => void, done: Done): void {
    const descriptor = descriptorOf(socket);
    if (descriptor === undefined) return fail(unproven("its socket has no descriptor"));
    let isOver = false;
    const once: Done = (outcome) => {
      if (isOver) return;
      isOver = true;
      if (this.#underWay.get(descriptor) === once) this.#underWay.delete(descriptor);
      if (outcome instanceof NetloomError) fail(outcome);
      else done(outcome);
    };
    this.#underWay.set(descriptor, once);
    socket.once("close", () => once(unproven("it has closed the connection")));
    this.#serverFor(proof).emit("connection", socket);
  }

  #serverFor(proof: CertificateProof): Server {
    const known = this.#servers.get(proof);
    if (known) return known;
    const server = createServer({
      ...tlsOptions(proof),
      requestCert: true,
      // Node would only hang up: `secureConnection` refuses an unproven peer with the reason.
      rejectUnauthorized: false,
      handshakeTimeout: this.#timeoutMs,
      ALPNProtocols: ["h2"],
    });
    server.on("secureConnection", (secure) => {
      const done = this.#underWay.get(descriptorOf(secure) ?? -1);
      if (!done) return void secure.destroy();
      if (!secure.authorized) return done(unproven(String(secure.authorizationError)));
      try {
        done({ socket: secure, proven: proveShown(proof, secure.getPeerCertificate(true)) });
      } catch (error) {
        if (!(error instanceof NetloomError)) throw error;
        done(error);
      }
    });
    server.on("tlsClientError", (error: Error & { readonly reason?: string }, secure) => {
      const done = this.#underWay.get(descriptorOf(secure) ?? -1);
      done?.(unproven(error.reason ?? error.message));
    });
    this.#servers.set(proof, server);
    return server;
  }
}

function unproven(why: string): NetloomError {
  return new NetloomError("UNAUTHENTICATED", why);
}

/** The peer that this certificate proves; errors of `CertificateProof.prove`. */
export function proveShown(proof: CertificateProof, certificate: DetailedPeerCertificate): Proven {
  return proof.prove(chainOf(certificate), Date.now());
}
