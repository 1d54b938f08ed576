/** A connection of a hop, with the credentials that its process had when it was made. */
import {
  Client,
  type ClientOptions,
  credentials as grpcCredentials,
  type ChannelCredentials,
} from "@grpc/grpc-js";
import { createSecureContext, type DetailedPeerCertificate } from "node:tls";
import { NetloomError } from "../errors/errors.ts";
import { MAX_MESSAGE_BYTES } from "../world/hops.ts";
import type { CertificateProof, Proof } from "../world/credentials.ts";
import { type Origin, type Peer, plainPeer } from "../world/peer.ts";
import { tlsOptions } from "./certificates.ts";
import { proveShown } from "./handshake.ts";

const OPTIONS: ClientOptions = {
  "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
  "grpc.max_send_message_length": MAX_MESSAGE_BYTES,
  "grpc.initial_reconnect_backoff_ms": 50,
  "grpc.max_reconnect_backoff_ms": 1_000,
  "grpc.client_idle_timeout_ms": 300_000,
  // Off: a register of calls for a service that is not used here.
  "grpc.enable_channelz": 0,
  // The environment does not affect where a message goes, and DNS is only asked for the address of a name.
  "grpc.enable_http_proxy": 0,
  "grpc.service_config_disable_resolution": 1,
  // A name is resolved for every connection, so that a host that moved is found at once, not after half a minute.
  "grpc.dns_min_time_between_resolutions_ms": 0,
  // Each hop has a connection of its own, so that closing one does not end another.
  "grpc.use_local_subchannel_pool": 1,
  // The server name of TLS is not used: the certificate identifies the peer. An IP address is not allowed here (RFC
  // 6066).
  "grpc.ssl_target_name_override": "netloom",
};

export interface LineOptions {
  /** Target in gRPC's grammar. */
  readonly target: string;
  /** Origin of a peer that proves nothing. */
  readonly origin: Origin;
  /** Unique in this process. */
  readonly name: string;
  readonly proof: Proof;
}

/** Made at first use, and again after it breaks. A retired line takes no more calls and closes after its last one. */
export class GrpcLine {
  readonly client: Client;
  readonly proof: Proof;
  readonly #options: LineOptions;
  /** Functions that end each running call and stream. */
  readonly #open = new Set<(error: NetloomError) => void>();
  #peer: Peer | undefined;
  #refusal: NetloomError | undefined;
  #onRefusal: ((refusal: NetloomError) => void)[] = [];
  #isRetired = false;
  #isClosed = false;

  constructor(options: LineOptions) {
    this.#options = options;
    this.proof = options.proof;
    if (options.proof.kind === "none") this.#peer = plainPeer(options.origin, options.name);
    this.client = new Client(options.target, this.#credentials(options.proof), OPTIONS);
  }

  get isBusy(): boolean {
    return this.#open.size > 0;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Why this side refused the other one at the last attempt. */
  get refusal(): NetloomError | undefined {
    return this.#refusal;
  }

  /** Registers a call or stream that `fail` ends. Call the returned function when it is over. */
  begin(fail: (error: NetloomError) => void): () => void {
    this.#open.add(fail);
    return () => {
      if (this.#open.delete(fail) && this.#isRetired && !this.isBusy) this.#close();
    };
  }

  /** The peer. UNAUTHENTICATED if this side does not accept its proof; an error of gRPC if no peer is there in time. */
  async peer(timeoutMs: number): Promise<Peer> {
    if (this.#options.proof.kind === "none" && this.#peer) return this.#peer;
    await new Promise<void>((resolve, reject) => {
      this.#onRefusal.push(reject);
      this.client.waitForReady(Date.now() + Math.max(0, timeoutMs), (error) => {
        this.#onRefusal = this.#onRefusal.filter((each) => each !== reject);
        if (error) reject(error);
        else resolve();
      });
    });
    if (this.#peer) return this.#peer;
    throw new Error("grpc-js has changed: a connection is ready whose peer was not asked who it is");
  }

  retire(): void {
    this.#isRetired = true;
    if (!this.isBusy) this.#close();
  }

  /** Ends running calls, and the connection. */
  break(error: NetloomError): void {
    for (const fail of this.#open) fail(error);
    this.#close();
  }

  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.client.close();
  }

  #credentials(proof: Proof): ChannelCredentials {
    if (proof.kind === "none") return grpcCredentials.createInsecure();
    return grpcCredentials.createFromSecureContext(createSecureContext(tlsOptions(proof)), {
      // Replaces Node's own check, which looks for a DNS name. A returned error ends the connection.
      checkServerIdentity: (_name, certificate) => this.#prove(proof, certificate as DetailedPeerCertificate),
    });
  }

  #prove(proof: CertificateProof, certificate: DetailedPeerCertificate): Error | undefined {
    const { origin, name } = this.#options;
    try {
      this.#peer = { ...proveShown(proof, certificate), origin, connection: name };
      this.#refusal = undefined;
      return undefined;
    } catch (error) {
      if (!(error instanceof NetloomError)) throw error;
      this.#refusal = error;
      for (const tell of this.#onRefusal.splice(0)) tell(error);
      return error;
    }
  }
}
