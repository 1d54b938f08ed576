/**
 * HTTP/2 under a gRPC server, with the limits of peers. gRPC's own server takes what it gets; so connections and streams
 * come here first, and go on to it when there is room, and the peer's turn.
 *
 *   socket ──> PeerBook: room? ──> session ──> stream ──> room? ──> turn ──> gRPC
 */
import type { Server } from "@grpc/grpc-js";
import { status } from "@grpc/grpc-js";
import type { EventEmitter } from "node:events";
import {
  constants,
  createServer,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { Socket } from "node:net";
import type { PacedSocket } from "./paced-socket.ts";
import type { PeerBook, PeerConnection } from "./peer-book.ts";

/** Streams of a connection; `PeerLimits.watches` is less, so that watching leaves room for calls. */
const MAX_STREAMS = 4_096;

const OPTIONS = {
  // Megabytes that a connection may make this process hold.
  maxSessionMemory: 64,
  maxSessionInvalidFrames: 100,
  streamResetRate: 500,
  settings: { enablePush: false, maxConcurrentStreams: MAX_STREAMS, maxHeaderListSize: 32 * 1024 },
} as const;

export interface GuardOptions {
  readonly book: PeerBook;
  /** Whether the answers of a method are a stream. */
  readonly isWatch: (path: string) => boolean;
}

/** Takes connections for `grpc` that are in the book under their remote address. */
export function guardedHttp2(grpc: Server, options: GuardOptions): (socket: Socket | PacedSocket) => void {
  const inner = http2Of(grpc);
  const { book } = options;
  const http2 = createServer({ ...OPTIONS, streamResetBurst: book.limits.resets });
  let arriving: Socket | PacedSocket | undefined;
  http2.on("session", (session: ServerHttp2Session) => {
    // Of a socket that is none of the system's Node shows a cover.
    Object.defineProperty(session, "socket", { value: arriving });
    const connection = book.find(session.socket.remoteAddress);
    if (!connection) return session.destroy();
    requireFirstFrame(session, connection, book);
    inner.emit("session", session);
  });
  http2.on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    // A stream that its peer resets while it waits is no fault of anybody here.
    stream.on("error", () => undefined);
    const connection = book.find(stream.session?.socket.remoteAddress);
    if (connection) new GuardedStream(stream, headers, connection, options).admit(inner);
    else stream.close(constants.NGHTTP2_REFUSED_STREAM);
  });
  return (socket) => {
    arriving = socket;
    http2.emit("connection", socket);
    arriving = undefined;
  };
}

/** The settings of a client are the first frame of every connection (RFC 9113 section 3.4). */
function requireFirstFrame(session: ServerHttp2Session, { peer }: PeerConnection, book: PeerBook): void {
  const timer = setTimeout(() => {
    book.warn(peer, "closed a connection: it has not begun to speak HTTP/2");
    session.destroy();
  }, book.limits.readTimeoutMs).unref();
  session.once("remoteSettings", () => clearTimeout(timer));
  session.once("close", () => clearTimeout(timer));
}

/** One stream, from its headers to its end. */
class GuardedStream {
  readonly #stream: ServerHttp2Stream;
  readonly #headers: IncomingHttpHeaders;
  readonly #connection: PeerConnection;
  readonly #book: PeerBook;
  readonly #path: string;
  readonly #isWatch: boolean;
  #heldBytes = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    connection: PeerConnection,
    { book, isWatch }: GuardOptions,
  ) {
    this.#stream = stream;
    this.#headers = headers;
    this.#connection = connection;
    this.#book = book;
    this.#path = String(headers[":path"]).slice(0, 256);
    this.#isWatch = isWatch(this.#path);
  }

  admit(inner: EventEmitter): void {
    const { account } = this.#connection;
    const { streams, watches } = this.#book.limits;
    this.#book.opened(account);
    account.streams += 1;
    if (this.#isWatch) account.watches += 1;
    this.#stream.once("close", () => {
      account.streams -= 1;
      if (this.#isWatch) account.watches -= 1;
      this.#release();
    });
    if (account.streams > streams)
      return this.#turnAway(`this peer has ${streams} calls under way here, as many as are allowed`);
    if (this.#isWatch && account.watches > watches)
      return this.#turnAway(`this peer has ${watches} streams open here, as many as are allowed`);
    account.time.run(() => {
      if (!this.#stream.destroyed && !this.#stream.closed) this.#start(inner);
    });
  }

  #turnAway(why: string): void {
    const { account, peer } = this.#connection;
    if (!account.time.isSpent) return this.#refuse(status.RESOURCE_EXHAUSTED, why);
    this.#book.warn(peer, `closed a connection: ${why}, and it goes on opening more`);
    this.#stream.session?.destroy();
  }

  #start(inner: EventEmitter): void {
    const { readTimeoutMs } = this.#book.limits;
    this.#timer = setTimeout(
      () =>
        this.#refuse(
          status.DEADLINE_EXCEEDED,
          `the request has not come to its end within ${readTimeoutMs / 1000} s`,
        ),
      readTimeoutMs,
    ).unref();
    this.#stream.once("end", () => this.#release());
    inner.emit("stream", this.#stream, this.#headers);
    // Behind gRPC, which has paused the stream: a listener would start it otherwise.
    this.#stream.on("data", (bytes: Buffer) => this.#hold(bytes.length));
  }

  #hold(bytes: number): void {
    this.#heldBytes += bytes;
    if (!this.#book.hold(this.#connection.account, bytes))
      this.#refuse(status.RESOURCE_EXHAUSTED, "too much of this peer's requests has come without their ends");
  }

  #release(): void {
    clearTimeout(this.#timer);
    if (this.#heldBytes > 0) this.#book.hold(this.#connection.account, -this.#heldBytes);
    this.#heldBytes = 0;
  }

  #refuse(code: number, why: string): void {
    this.#book.warn(this.#connection.peer, `refused ${this.#path}: ${why}`);
    this.#release();
    const stream = this.#stream;
    if (stream.destroyed || stream.closed) return;
    if (!stream.headersSent) {
      stream.respond(
        {
          ":status": 200,
          "content-type": "application/grpc",
          "grpc-status": code,
          "grpc-message": encodeURI(`call ${this.#path}: ${why}`),
        },
        { endStream: true },
      );
    }
    stream.close(constants.NGHTTP2_NO_ERROR);
  }
}

/** gRPC has no door for sessions, only one for sockets, behind which it makes sessions with its own options. */
function http2Of(grpc: Server): EventEmitter {
  const { http2Servers } = grpc as unknown as { readonly http2Servers: ReadonlyMap<EventEmitter, unknown> };
  const [inner] = http2Servers.keys();
  if (!inner?.listenerCount("stream")) throw new Error("grpc-js has changed: its HTTP/2 server is not found");
  return inner;
}
