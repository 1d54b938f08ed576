/** What attackers do, over raw HTTP/2: streams that are opened, half sent, reset. */
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect as connectHttp2,
  constants,
  type IncomingHttpHeaders,
} from "node:http2";
import { connect, createServer, type AddressInfo } from "node:net";
import type { TestContext } from "node:test";

/** What a call has come to. `code` is gRPC's; `undefined` if the stream or the connection broke. */
export interface Outcome {
  readonly code: number | undefined;
  readonly text: string;
}

/** A connection to a listener on `tcp://…` or `unix://…`. */
export function attacker(t: TestContext, url: string): ClientHttp2Session {
  const path = url.startsWith("unix://") ? url.slice("unix://".length) : undefined;
  const session = path
    ? connectHttp2("http://localhost", { createConnection: () => connect(path) })
    : connectHttp2(url.replace("tcp:", "http:"));
  session.on("error", () => undefined);
  t.after(() => session.destroy());
  return session;
}

/** Opens a call of `method`; nothing is sent of its request. */
export function open(session: ClientHttp2Session, method: string): ClientHttp2Stream {
  const stream = session.request({
    ":method": "POST",
    ":path": method,
    "content-type": "application/grpc",
    te: "trailers",
  });
  stream.on("error", () => undefined);
  return stream;
}

/** How a call ends; its answers are read. */
export async function outcome(stream: ClientHttp2Stream): Promise<Outcome> {
  return await new Promise((resolve) => {
    let found: Outcome = { code: undefined, text: "" };
    const note = (headers: IncomingHttpHeaders): void => {
      if (headers["grpc-status"] === undefined) return;
      found = {
        code: Number(headers["grpc-status"]),
        text: decodeURI(headers["grpc-message"]?.toString() ?? ""),
      };
    };
    stream.on("response", note);
    stream.on("trailers", note);
    stream.on("close", () => resolve(found));
    stream.resume();
  });
}

/** Resolves when the first headers of the answer are here. */
export async function begun(stream: ClientHttp2Stream): Promise<void> {
  await new Promise<void>((resolve) => stream.once("response", () => resolve()));
}

/** A message as gRPC frames it, or as much of it as `bytes` has. */
export function framed(bytes: Uint8Array, length: number = bytes.length): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, bytes]);
}

export const reset = (stream: ClientHttp2Stream): void => stream.close(constants.NGHTTP2_CANCEL);

/** A port of the loopback that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen({ host: "127.0.0.1", port: 0 }, resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}
