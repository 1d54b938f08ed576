/** A hop over gRPC. */
import {
  Client,
  type ClientOptions,
  type ClientReadableStream,
  credentials,
  type Metadata,
  type ServiceError,
  status,
} from "@grpc/grpc-js";
import { NetloomError } from "../errors/errors.ts";
import type { Watch } from "../async/watch.ts";
import { type Hop, MAX_MESSAGE_BYTES, type Message, type Metadata as Pairs } from "../world/hops.ts";
import { fromMetadata, toMetadata } from "./grpc-metadata.ts";
import { Liveness } from "./liveness.ts";
import { fromStatus } from "./status.ts";
import { StreamQueue } from "../async/stream-queue.ts";
import { grpcTarget } from "./url.ts";

/** Answers that may wait in this process before the stream is paused. */
const QUEUE_LIMIT = 64;

/** A peer that has gone without a word is noticed within the sum of both. */
const PROBE_INTERVAL_MS = 10_000;
const PROBE_TIMEOUT_MS = 5_000;

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
};

const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
/** A copy, because the buffer of a small message shares its memory with others. */
const asBytes = (buffer: Buffer): Uint8Array => new Uint8Array(buffer);

export interface GrpcHopOptions {
  /** Where `url` leads to. Default: it is an address itself. */
  readonly address?: string;
  /** Default: 10,000 ms. */
  readonly probeIntervalMs?: number;
  /** Default: 5,000 ms. */
  readonly probeTimeoutMs?: number;
}

/**
 * One connection to one peer, made when it is first used and again when it has broken. A call to a peer that has fallen
 * silent waits no longer than for a sign of life, until there is one.
 */
export class GrpcHop implements Hop {
  readonly #url: string;
  readonly #target: string;
  readonly #probeTimeoutMs: number;
  readonly #liveness: Liveness;
  /** What ends each call and stream that is under way. */
  readonly #open = new Set<(error: NetloomError) => void>();
  #client: Client;
  /** It has given no sign of life, and none since. */
  #isSilent = false;

  constructor(url: string, options: GrpcHopOptions = {}) {
    this.#url = url;
    this.#target = grpcTarget(options.address ?? url);
    this.#probeTimeoutMs = options.probeTimeoutMs ?? PROBE_TIMEOUT_MS;
    this.#client = this.#connect();
    this.#liveness = new Liveness({
      intervalMs: options.probeIntervalMs ?? PROBE_INTERVAL_MS,
      probe: () => this.#probe(),
      onDead: () => this.#reconnect(),
    });
  }

  /** Whether a call or a stream is under way. */
  get isBusy(): boolean {
    return this.#open.size > 0;
  }

  call(method: string, request: Message, options: Parameters<Hop["call"]>[2]): Promise<Message> {
    const attempt = `call ${method} at ${this.#url}`;
    const { scope } = options;
    const isShort = this.#isSilent && options.timeoutMs > this.#probeTimeoutMs;
    const timeoutMs = isShort ? this.#probeTimeoutMs : options.timeoutMs;
    if (scope?.ended) return Promise.reject(cancelled(attempt, scope.name));
    return new Promise<Message>((resolve, reject) => {
      let answered: Pairs = {};
      let broken: NetloomError | undefined;
      const call = this.#client.makeUnaryRequest(
        method,
        asBuffer,
        asBytes,
        request.bytes.slice(),
        toMetadata(request.metadata),
        { deadline: Date.now() + Math.max(0, timeoutMs) },
        (error, bytes) => {
          forget();
          this.#open.delete(fail);
          if (!error) this.#isSilent = false;
          if (!error) resolve({ bytes: bytes ?? new Uint8Array(), metadata: answered });
          else if (scope?.ended) reject(cancelled(attempt, scope.name));
          else if (isShort && error.code === status.DEADLINE_EXCEEDED) reject(this.#silence(error, attempt));
          else reject(broken ?? this.#failure(error, attempt));
        },
      );
      const fail = (error: NetloomError): void => {
        broken = error;
        call.cancel();
      };
      this.#open.add(fail);
      call.on("metadata", (metadata: Metadata) => (answered = fromMetadata(metadata)));
      const forget = scope?.onEnd(() => call.cancel()) ?? (() => undefined);
    });
  }

  watch(method: string, request: Message): Watch<Uint8Array> {
    const attempt = `watch ${method} at ${this.#url}`;
    let stream: ClientReadableStream<Uint8Array> | undefined;
    const queue = new StreamQueue<Uint8Array>({
      limit: QUEUE_LIMIT,
      onRoom: () => stream?.resume(),
      onClose: () => {
        over();
        stream?.cancel();
      },
    });
    const fail = (error: NetloomError): void => {
      over();
      queue.finish(error);
      stream?.cancel();
    };
    const endWatch = this.#liveness.watch();
    const over = (): void => {
      endWatch();
      this.#open.delete(fail);
    };
    this.#open.add(fail);
    try {
      const metadata = toMetadata(request.metadata);
      stream = this.#client.makeServerStreamRequest(
        method,
        asBuffer,
        asBytes,
        request.bytes.slice(),
        metadata,
      );
    } catch (error) {
      if (!(error instanceof NetloomError)) throw error;
      fail(error);
      return queue;
    }
    deliver(stream, queue, { attempt, over });
    return queue;
  }

  /** Ends all calls and streams with UNAVAILABLE. */
  close(): void {
    this.#liveness.close();
    this.#break("this side has closed the connection");
    this.#client.close();
  }

  #failure(error: ServiceError, attempt: string): NetloomError {
    if (error.code === status.DEADLINE_EXCEEDED) this.#liveness.suspect();
    return fromStatus(error, attempt);
  }

  #silence(error: ServiceError, attempt: string): NetloomError {
    this.#liveness.suspect();
    return new NetloomError("UNAVAILABLE", `${attempt}: ${this.#noSign()}`, {
      cause: error,
      topic: "NL-701",
    });
  }

  #noSign(): string {
    return `no sign of life in ${this.#probeTimeoutMs} ms`;
  }

  #connect(): Client {
    return new Client(this.#target, credentials.createInsecure(), OPTIONS);
  }

  /** The connection may look well for minutes although nobody is at its other end. */
  #reconnect(): void {
    this.#isSilent = true;
    this.#break(this.#noSign());
    const dead = this.#client;
    this.#client = this.#connect();
    dead.close();
  }

  #break(why: string): void {
    for (const fail of this.#open) {
      fail(new NetloomError("UNAVAILABLE", `use the connection to ${this.#url}: it broke: ${why}`));
    }
  }

  #probe(): Promise<boolean> {
    return new Promise((resolve) => {
      this.#client.makeUnaryRequest(
        "/grpc.health.v1.Health/Check",
        asBuffer,
        asBytes,
        new Uint8Array(),
        { deadline: Date.now() + this.#probeTimeoutMs },
        (error) => {
          // Any answer is a sign; that there is no connection is none.
          const hasAnswered = !error || ![status.DEADLINE_EXCEEDED, status.UNAVAILABLE].includes(error.code);
          if (hasAnswered) this.#isSilent = false;
          resolve(error?.code !== status.DEADLINE_EXCEEDED);
        },
      );
    });
  }
}

/** Brings what comes on `stream` into `queue`: all answers, and then how it ended. */
function deliver(
  stream: ClientReadableStream<Uint8Array>,
  queue: StreamQueue<Uint8Array>,
  { attempt, over }: { readonly attempt: string; readonly over: () => void },
): void {
  let failure: NetloomError | undefined;
  const finish = (): void => {
    over();
    queue.finish(failure);
  };
  stream.on("data", (bytes: Uint8Array) => {
    if (!queue.push(bytes)) stream.pause();
  });
  stream.on("end", finish);
  stream.on("error", (error: ServiceError) => {
    failure = fromStatus(error, attempt);
    // An error overtakes the answers that wait in a paused stream; its end does not.
    if (stream.readableLength === 0) finish();
  });
}

function cancelled(attempt: string, by: string): NetloomError {
  return new NetloomError("CANCELLED", `${attempt}: ${by} has ended`);
}
