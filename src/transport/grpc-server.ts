/** A listener for gRPC. */
import {
  Metadata,
  Server,
  ServerCredentials,
  type sendUnaryData,
  type ServerUnaryCall,
  type ServerWritableStream,
} from "@grpc/grpc-js";
import { unlink } from "node:fs/promises";
import { connect } from "node:net";
import { NetloomError } from "../world/errors.ts";
import type { Watch } from "../world/kernel.ts";
import type { Scope } from "../world/scope.ts";
import type { Clock, Handler, Incoming, Peer } from "../world/world.ts";
import { fromMetadata, MAX_MESSAGE_BYTES, toMetadata } from "./grpc-client.ts";
import { addHealth } from "./health.ts";
import { toStatus } from "./status.ts";
import { grpcTarget } from "./url.ts";

/** A call without a deadline ends after this. */
const DEFAULT_TIMEOUT_MS = 60_000;

type Call = ServerUnaryCall<Buffer, Uint8Array> | ServerWritableStream<Buffer, Uint8Array>;

export interface ListenOptions {
  readonly clock: Clock;
  /** The scope that calls run in. */
  readonly scope: Scope;
  /** Told of programmer's errors, of which the caller learns nothing. */
  readonly onError: (error: unknown, method: string) => void;
  /** Gets the server before it listens, to add services that are gRPC's own. */
  readonly extend?: (server: Server) => void;
}

/** Listens in plaintext. The returned function ends all calls and the listener. */
export async function listen(
  url: string,
  handler: Handler,
  options: ListenOptions,
): Promise<() => Promise<void>> {
  const target = grpcTarget(url);
  const server = new Server({
    "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
    "grpc.max_send_message_length": MAX_MESSAGE_BYTES,
    "grpc.max_concurrent_streams": 4096,
    "grpc.keepalive_time_ms": 10_000,
    "grpc.keepalive_timeout_ms": 5_000,
  });
  const calls = options.scope.child(`listener ${url}`);
  const isUnix = target.startsWith("unix:");
  const incoming = (call: Call, method: string, bytes: Uint8Array): Incoming => {
    const deadline = call.getDeadline();
    const leftMs = deadline === Infinity ? DEFAULT_TIMEOUT_MS : Number(deadline) - Date.now();
    const scope = calls.child(method, { timeoutMs: leftMs });
    call.on("cancelled", () => void scope.end());
    return {
      method,
      bytes,
      metadata: fromMetadata(call.metadata),
      peer: peerOf(call, isUnix),
      scope,
      deadlineMs: options.clock.monotonicMs() + leftMs,
    };
  };
  const report = (error: unknown, method: string): void => {
    if (!(error instanceof NetloomError)) options.onError(error, method);
  };
  for (const { path, kind } of handler.methods) {
    const identity = (bytes: Uint8Array): Buffer =>
      Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (kind === "call") {
      const unary = (call: ServerUnaryCall<Buffer, Uint8Array>, answer: sendUnaryData<Uint8Array>): void => {
        const arrived = incoming(call, path, call.request);
        handler
          .call(arrived)
          .then(
            ({ bytes, metadata }) => {
              if (Object.keys(metadata).length > 0) call.sendMetadata(toMetadata(metadata));
              answer(null, bytes);
            },
            (error: unknown) => {
              report(error, path);
              answer(toStatus(error));
            },
          )
          .finally(() => void arrived.scope.end());
      };
      server.register(path, unary, identity, (buffer: Buffer) => buffer, "unary");
    } else {
      const stream = (call: ServerWritableStream<Buffer, Uint8Array>): void => {
        const arrived = incoming(call, path, call.request);
        pump(call, () => handler.watch(arrived))
          .catch((error: unknown) => {
            report(error, path);
            call.emit("error", toStatus(error));
          })
          .finally(() => void arrived.scope.end());
      };
      server.register(path, stream, identity, (buffer: Buffer) => buffer, "serverStream");
    }
  }
  addHealth(server, handler);
  options.extend?.(server);
  if (isUnix) await removeStaleSocket(target.slice("unix:".length));
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(target, ServerCredentials.createInsecure(), (error) =>
      error ? reject(inUse(url, error)) : resolve(),
    );
  });
  return async () => {
    await calls.end();
    server.forceShutdown();
  };
}

/** Hands answers to the peer as fast as it takes them. */
async function pump(
  call: ServerWritableStream<Buffer, Uint8Array>,
  open: () => Watch<Uint8Array>,
): Promise<void> {
  const answers = open();
  call.on("cancelled", () => answers.close());
  call.sendMetadata(new Metadata());
  for (let answer = await answers.next(); answer !== undefined; answer = await answers.next()) {
    if (call.cancelled) break;
    if (!call.write(answer)) {
      await new Promise<void>((resolve) => {
        call.once("drain", resolve);
        call.once("cancelled", resolve);
      });
    }
  }
  answers.close();
  call.end();
}

function peerOf(call: Call, isUnix: boolean): Peer {
  const address = call.getPeer();
  if (isUnix) return { id: "unix", connection: address, isLocal: true };
  const ip = address.replace(/:[0-9]+$/, "").replace(/^\[|\]$/g, "");
  return { id: `tcp:${ip}`, connection: address, isLocal: false };
}

/** A socket file that nobody listens on is what a killed process left. */
async function removeStaleSocket(path: string): Promise<void> {
  const isAlive = await new Promise<boolean>((resolve) => {
    const probe = connect(path);
    probe.on("connect", () => resolve(true)).on("error", () => resolve(false));
    probe.on("connect", () => probe.destroy());
  });
  if (isAlive) throw inUse(`unix://${path}`, undefined);
  await unlink(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
  });
}

function inUse(url: string, cause: unknown): NetloomError {
  const reason = cause instanceof Error ? cause.message : "another process listens there";
  return new NetloomError("ALREADY_EXISTS", `listen on ${url}: ${reason}`, {
    cause,
    hint: "end the other process, or choose another address",
  });
}
