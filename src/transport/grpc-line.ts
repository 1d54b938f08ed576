/** A connection of a hop, with what its process proved itself with when it was made. */
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
  // A register of calls for a service that nobody here asks.
  "grpc.enable_channelz": 0,
  // The environment has no say in where a message goes, and a name server none but for the address of a name.
  "grpc.enable_http_proxy": 0,
  "grpc.service_config_disable_resolution": 1,
  // A name is looked up for every connection: whoever has moved is found at once, not after half a minute.
  "grpc.dns_min_time_between_resolutions_ms": 0,
  // Each hop has a connection of its own, so that closing one ends no other.
  "grpc.use_local_subchannel_pool": 1,
  // What TLS calls a server's name says nothing here: its certificate does. An IP address may not stand there (RFC 6066).
  "grpc.ssl_target_name_override": "netloom",
};

export interface LineOptions {
  /** In gRPC's grammar. */
  readonly target: string;
  /** Where it leads, for a peer that proves nothing. */
  readonly origin: Origin;
  /** Unique in this process. */
  readonly name: string;
  readonly proof: Proof;
}

/**
 * Made when it is first used, and made again when it has broken. When it is retired it takes no more calls, and is closed by the
 * last one that is over.
 */
export class GrpcLine {
  readonly client: Client;
  readonly proof: Proof;
  readonly #options: LineOptions;
  /** What ends each call and stream that is under way. */
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

  /** Why this side does not believe the other one, at the last attempt. */
  get refusal(): NetloomError | undefined {
    return this.#refusal;
  }

  /** A call or stream that `fail` ends. The result says that it is over. */
  begin(fail: (error: NetloomError) => void): () => void {
    this.#open.add(fail);
    return () => {
      if (this.#open.delete(fail) && this.#isRetired && !this.isBusy) this.#close();
    };
  }

  /** Who is there. UNAUTHENTICATED if this side does not believe it; an error of gRPC if nobody is there in time. */
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

  /** Ends what is under way, and the connection. */
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
      // Instead of Node's own check, which looks for a name of DNS. What is returned ends the connection.
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
