/** A hop over gRPC. */
import { type ClientReadableStream, type Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { NetloomError } from "../errors/errors.ts";
import type { Watch } from "../async/watch.ts";
import type { Credentials } from "../world/credentials.ts";
import type { Hop, Message, Metadata as Pairs, Waiting } from "../world/hops.ts";
import type { Peer } from "../world/peer.ts";
import { GrpcLine } from "./grpc-line.ts";
import { fromMetadata, toMetadata } from "./grpc-metadata.ts";
import { Liveness } from "./liveness.ts";
import { type FailedCall, fromStatus, unreachable } from "./status.ts";
import { StreamQueue } from "../async/stream-queue.ts";
import { grpcTarget, originAt } from "./url.ts";

/** Answers that may be queued in this process before the stream is paused. */
const QUEUE_LIMIT = 64;

/** A peer that disappears is detected within the sum of these two times. */
const PROBE_INTERVAL_MS = 10_000;
const PROBE_TIMEOUT_MS = 5_000;

const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
/** Copies the bytes, because the buffer of a small message shares its memory with others. */
const asBytes = (buffer: Buffer): Uint8Array => new Uint8Array(buffer);

export interface GrpcHopOptions {
  readonly credentials: Credentials;
  /** The address of `url`. Default: `url` itself is the address. */
  readonly address?: string;
  /** Default: 10,000 ms. */
  readonly probeIntervalMs?: number;
  /** Default: 5,000 ms. */
  readonly probeTimeoutMs?: number;
}

/**
 * One connection to one peer. It is made at first use, again after it breaks, and anew when the credentials change;
 * calls on the old connection finish there. After a peer has fallen silent, a call waits only as long as a probe, until
 * the peer answers again.
 */
export class GrpcHop implements Hop {
  readonly #url: string;
  readonly #options: GrpcHopOptions;
  readonly #probeTimeoutMs: number;
  readonly #liveness: Liveness;
  /** Lines with running calls or streams, and the one that takes new calls. */
  readonly #lines = new Set<GrpcLine>();
  #line: GrpcLine | undefined;
  #made = 0;
  /** The peer did not answer the last probe, and nothing has come from it since. */
  #isSilent = false;

  /** INVALID_ARGUMENT for a URL that is not an address. */
  constructor(url: string, options: GrpcHopOptions) {
    grpcTarget(options.address ?? url);
    this.#url = url;
    this.#options = options;
    this.#probeTimeoutMs = options.probeTimeoutMs ?? PROBE_TIMEOUT_MS;
    this.#liveness = new Liveness({
      intervalMs: options.probeIntervalMs ?? PROBE_INTERVAL_MS,
      probe: () => this.#probe(),
      onDead: () => this.#reconnect(),
    });
  }

  /** Whether a call or a stream is running. */
  get isBusy(): boolean {
    return [...this.#lines].some(({ isBusy }) => isBusy);
  }

  async peer({ timeoutMs, scope }: Waiting): Promise<Peer> {
    const attempt = `find out who is at ${this.#url}`;
    if (scope?.ended) throw cancelled(attempt, scope.name);
    const line = this.#use();
    return await new Promise<Peer>((resolve, reject) => {
      const over = line.begin(reject);
      const forget = scope?.onEnd(() => reject(cancelled(attempt, scope.name))) ?? (() => undefined);
      line
        .peer(timeoutMs)
        .then(resolve, (error: unknown) => reject(peerFailure(error, line, { url: this.#url, attempt })))
        .finally(() => {
          forget();
          over();
        });
    });
  }

  async call(method: string, request: Message, options: Waiting): Promise<Message> {
    const attempt = `call ${method} at ${this.#url}`;
    const { scope } = options;
    const isShort = this.#isSilent && options.timeoutMs > this.#probeTimeoutMs;
    const timeoutMs = isShort ? this.#probeTimeoutMs : options.timeoutMs;
    if (scope?.ended) throw cancelled(attempt, scope.name);
    const line = this.#use();
    return await new Promise<Message>((resolve, reject) => {
      let answered: Pairs = {};
      let broken: NetloomError | undefined;
      const call = line.client.makeUnaryRequest(
        method,
        asBuffer,
        asBytes,
        request.bytes.slice(),
        toMetadata(request.metadata),
        { deadline: Date.now() + Math.max(0, timeoutMs) },
        (error, bytes) => {
          forget();
          over();
          if (!error) this.#isSilent = false;
          if (!error) resolve({ bytes: bytes ?? new Uint8Array(), metadata: answered });
          else if (scope?.ended) reject(cancelled(attempt, scope.name));
          else if (isShort && error.code === status.DEADLINE_EXCEEDED) reject(this.#silence(error, attempt));
          else reject(broken ?? this.#failure(error, line, attempt));
        },
      );
      const fail = (error: NetloomError): void => {
        broken = error;
        call.cancel();
      };
      const over = line.begin(fail);
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
    const line = this.#use();
    const endWatch = this.#liveness.watch();
    const end = line.begin(fail);
    const over = (): void => {
      endWatch();
      end();
    };
    try {
      const metadata = toMetadata(request.metadata);
      stream = line.client.makeServerStreamRequest(
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
    deliver(stream, queue, { failure: (error) => this.#failure(error, line, attempt), over });
    return queue;
  }

  /** Ends all calls and streams with UNAVAILABLE. */
  close(): void {
    this.#liveness.close();
    this.#break("this side has closed the connection");
  }

  /** The line for new calls. Throws errors of the credentials unchanged. */
  #use(): GrpcLine {
    const proof = this.#options.credentials.current();
    if (this.#line?.proof === proof) return this.#line;
    this.#line?.retire();
    for (const line of this.#lines) if (!line.isBusy) this.#lines.delete(line);
    const address = this.#options.address ?? this.#url;
    const line = new GrpcLine({
      target: grpcTarget(address),
      origin: originAt(address),
      name: `${this.#url} ${this.#made++}`,
      proof,
    });
    this.#lines.add(line);
    this.#line = line;
    return line;
  }

  #failure(error: ServiceError, line: GrpcLine, attempt: string): NetloomError {
    if (error.code === status.UNAVAILABLE && line.refusal) return refused(attempt, line.refusal);
    if (error.code === status.DEADLINE_EXCEEDED) this.#liveness.suspect();
    return fromStatus(error, { url: this.#url, attempt });
  }

  #silence(error: ServiceError, attempt: string): NetloomError {
    this.#liveness.suspect();
    return unreachable({ url: this.#url, attempt }, { words: this.#noSign(), cause: error });
  }

  #noSign(): string {
    return `no sign of life in ${this.#probeTimeoutMs} ms`;
  }

  /** Breaks the connections to a silent peer. A connection may look healthy for minutes although its peer is gone. */
  #reconnect(): void {
    this.#isSilent = true;
    this.#break(this.#noSign());
  }

  #break(why: string): void {
    const lines = [...this.#lines];
    this.#lines.clear();
    this.#line = undefined;
    for (const line of lines)
      line.break(new NetloomError("UNAVAILABLE", `use the connection to ${this.#url}: it broke: ${why}`));
  }

  async #probe(): Promise<boolean> {
    const open = [...this.#lines].filter(({ isClosed }) => !isClosed);
    const alive = await Promise.all(open.map((line) => this.#answers(line)));
    return alive.every(Boolean);
  }

  #answers(line: GrpcLine): Promise<boolean> {
    return new Promise((resolve) => {
      line.client.makeUnaryRequest(
        "/grpc.health.v1.Health/Check",
        asBuffer,
        asBytes,
        new Uint8Array(),
        { deadline: Date.now() + this.#probeTimeoutMs },
        (error) => {
          // Any answer is a sign of life, except that there is no connection.
          const hasAnswered = !error || ![status.DEADLINE_EXCEEDED, status.UNAVAILABLE].includes(error.code);
          if (hasAnswered) this.#isSilent = false;
          resolve(error?.code !== status.DEADLINE_EXCEEDED);
        },
      );
    });
  }
}

/** Moves the answers of `stream` into `queue`, and then its end or error. */
function deliver(
  stream: ClientReadableStream<Uint8Array>,
  queue: StreamQueue<Uint8Array>,
  {
    failure: of,
    over,
  }: { readonly failure: (error: ServiceError) => NetloomError; readonly over: () => void },
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
    failure = of(error);
    // An error overtakes the answers that wait in a paused stream; a normal end does not.
    if (stream.readableLength === 0) finish();
  });
}

function peerFailure(error: unknown, line: GrpcLine, call: FailedCall): NetloomError {
  if (error instanceof NetloomError || line.refusal) return refused(call.attempt, line.refusal ?? error);
  return unreachable(call, { words: "nobody answers there in time", cause: error });
}

function refused(attempt: string, refusal: unknown): NetloomError {
  const why = refusal instanceof Error ? refusal.message : String(refusal);
  return new NetloomError("UNAUTHENTICATED", `${attempt}: ${why}`, { cause: refusal });
}

function cancelled(attempt: string, by: string): NetloomError {
  return new NetloomError("CANCELLED", `${attempt}: ${by} has ended`);
}
