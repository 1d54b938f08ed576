/** A hop over gRPC. */
import { Client, credentials, Metadata, type ClientOptions, type ServiceError } from "@grpc/grpc-js";
import { NetloomError } from "../world/errors.ts";
import type { Watch } from "../world/kernel.ts";
import type { Hop, Message, Metadata as Pairs } from "../world/world.ts";
import { fromStatus } from "./status.ts";
import { StreamQueue } from "./stream-queue.ts";
import { grpcTarget } from "./url.ts";

/** Answers that may wait in this process before the stream is paused. */
const QUEUE_LIMIT = 256;

/** Largest message in either direction, gRPC's own default. */
export const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;

const OPTIONS: ClientOptions = {
  "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
  "grpc.max_send_message_length": MAX_MESSAGE_BYTES,
  // A peer that has gone without a word is noticed within 15 s.
  "grpc.keepalive_time_ms": 10_000,
  "grpc.keepalive_timeout_ms": 5_000,
  "grpc.initial_reconnect_backoff_ms": 50,
  "grpc.min_reconnect_backoff_ms": 50,
  "grpc.max_reconnect_backoff_ms": 2_000,
  // Each hop has a connection of its own, so that closing one ends no other.
  "grpc.use_local_subchannel_pool": 1,
};

const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const asBytes = (buffer: Buffer): Uint8Array => buffer;

/** One connection to one peer, made when it is first used and again when it has broken. */
export class GrpcHop implements Hop {
  readonly #url: string;
  readonly #client: Client;

  constructor(url: string) {
    this.#url = url;
    this.#client = new Client(grpcTarget(url), credentials.createInsecure(), OPTIONS);
  }

  call(method: string, request: Message, options: Parameters<Hop["call"]>[2]): Promise<Message> {
    const attempt = `call ${method} at ${this.#url}`;
    if (options.scope?.ended)
      return Promise.reject(new NetloomError("CANCELLED", `${attempt}: the caller has gone`));
    return new Promise((resolve, reject) => {
      let answered: Pairs = {};
      const call = this.#client.makeUnaryRequest(
        method,
        asBuffer,
        asBytes,
        request.bytes,
        toMetadata(request.metadata),
        { deadline: Date.now() + Math.max(0, options.timeoutMs) },
        (error, bytes) => {
          forget();
          if (error) reject(fromStatus(error, attempt));
          else resolve({ bytes: bytes ?? new Uint8Array(), metadata: answered });
        },
      );
      call.on("metadata", (metadata: Metadata) => (answered = fromMetadata(metadata)));
      const forget = options.scope?.onEnd(() => call.cancel()) ?? (() => undefined);
    });
  }

  watch(method: string, request: Message): Watch<Uint8Array> {
    const stream = this.#client.makeServerStreamRequest(
      method,
      asBuffer,
      asBytes,
      request.bytes,
      toMetadata(request.metadata),
    );
    const queue = new StreamQueue<Uint8Array>({
      limit: QUEUE_LIMIT,
      onRoom: () => stream.resume(),
      onClose: () => stream.cancel(),
    });
    stream.on("data", (bytes: Uint8Array) => {
      if (!queue.push(bytes)) stream.pause();
    });
    stream.on("end", () => queue.finish());
    stream.on("error", (error: ServiceError) =>
      queue.finish(fromStatus(error, `watch ${method} at ${this.#url}`)),
    );
    return queue;
  }

  close(): void {
    this.#client.close();
  }
}

export function toMetadata(pairs: Pairs): Metadata {
  const metadata = new Metadata();
  for (const [key, value] of Object.entries(pairs)) metadata.set(key, value);
  return metadata;
}

/** Of several values of a key the last counts. Binary keys are left out. */
export function fromMetadata(metadata: Metadata): Pairs {
  return Object.fromEntries(
    Object.entries(metadata.getMap()).flatMap(([key, value]) =>
      typeof value === "string" ? [[key, value]] : [],
    ),
  );
}
