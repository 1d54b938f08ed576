/** Types shared by the parts of the simulated network. */
import { NetloomError } from "../../errors/errors.ts";
import { reason } from "../../errors/reasons.ts";
import type { Scope } from "../../async/scope.ts";
import { type Clock } from "../../async/clock.ts";
import { type Handler, MAX_MESSAGE_BYTES, type Message } from "../../world/hops.ts";
import type { Credentials, Proof } from "../../world/credentials.ts";
import type { Peer } from "../../world/peer.ts";
import type { Life } from "../life.ts";

/** One life of a host on the network. */
export interface NetworkEnd {
  /** The credentials of the process. */
  readonly credentials: Credentials;
  readonly life: Life;
  readonly clock: Clock;
  /** The root of all tasks of the host. */
  readonly scope: Scope;
}

/** A served address. Its scope contains all calls under way there. */
export interface SimListener {
  readonly end: NetworkEnd;
  readonly handler: Handler;
  readonly credentials: Credentials;
  readonly scope: Scope;
}

/** A connection, from the side of the host that opened it. */
export interface NetworkLine {
  /** Unique on the network. */
  readonly connection: string;
  /** The proof of the host that opened it. */
  readonly proof: Proof;
  /** The identities of both ends, from the handshake on, while the listener exists. */
  met?: { readonly listener: SimListener; readonly ends: Ends };
}

/** The identity of each end of a connection, as seen by the other. */
export interface Ends {
  readonly asking: Peer;
  readonly answering: Peer;
}

/** A request and its destination. */
export interface SentQuestion {
  readonly from: NetworkEnd;
  /** The host that the messages go to. */
  readonly to: string;
  readonly url: string;
  readonly method: string;
  readonly request: Message;
  readonly line: NetworkLine;
}

/** The path from the other host back to the caller. */
export function pathBack({ from, to }: SentQuestion): { readonly from: string; readonly to: string } {
  return { from: to, to: from.life.host };
}

export function unavailable({ url, method }: SentQuestion, why: string): NetloomError {
  return new NetloomError("UNAVAILABLE", `call ${url} ${method}: ${why}`, {
    reason: reason("PEER_UNREACHABLE", { url, why }),
  });
}

/** RESOURCE_EXHAUSTED for a message larger than any hop carries. */
export function checkSize(what: string, { length }: Uint8Array): void {
  if (length <= MAX_MESSAGE_BYTES) return;
  throw new NetloomError(
    "RESOURCE_EXHAUSTED",
    `${what}: ${length} bytes, and a message has at most ${MAX_MESSAGE_BYTES}`,
  );
}

export function copySent({ bytes, metadata }: Message): Message {
  return { bytes: bytes.slice(), metadata: { ...metadata } };
}

/** The part of an error that crosses the network. An error other than NetloomError becomes INTERNAL, and fails the run. */
export function copyError(error: unknown, life: Life): NetloomError {
  if (!(error instanceof NetloomError)) {
    life.codeOf(error);
    return new NetloomError("INTERNAL", "internal error: see the log of the other side");
  }
  const { code, message, hint, topic, reason: why } = error;
  return new NetloomError(code, message, { topic, reason: why, hint });
}

/** Ends the scope of a call with a known outcome. Operating errors of its tasks no longer matter. */
export function endCall(scope: Scope, life: Life): void {
  scope.end().catch((error: unknown) => life.codeOf(error));
}

/** One direction between two hosts. */
export interface Path {
  readonly from: string;
  readonly to: string;
}

/** The network, for calls and streams. */
export interface Ways {
  /** The current listener at an address. */
  listener(host: string, url: string): SimListener | undefined;
  /** Sends a message. `deliver` runs when it arrives, `onLost` if it is lost. */
  send(path: Path, detail: string, deliver: () => string | void, onLost?: () => void): void;
  /** The delays after which planned partitions cut a stream of this connection. */
  cutsAfterMs(path: Path, connection: string): number[];
}
