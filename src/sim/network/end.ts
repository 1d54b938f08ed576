/** What the parts of the simulated network share. */
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
  /** Those of its process. */
  readonly credentials: Credentials;
  readonly life: Life;
  readonly clock: Clock;
  /** The root of what the host has started. */
  readonly scope: Scope;
}

/** An address that somebody serves. Its scope is that of all calls under way there. */
export interface SimListener {
  readonly end: NetworkEnd;
  readonly handler: Handler;
  readonly credentials: Credentials;
  readonly scope: Scope;
}

/** A connection, as the one who has made it keeps it. */
export interface NetworkLine {
  /** Unique on the network. */
  readonly connection: string;
  /** What that one proves itself with. */
  readonly proof: Proof;
  /** Who the two ends are to each other, once they have met, and for as long as the listener is there. */
  met?: { readonly listener: SimListener; readonly ends: Ends };
}

/** Who the two ends of a connection are to each other. */
export interface Ends {
  readonly asking: Peer;
  readonly answering: Peer;
}

/** What a caller asks, and of whom. */
export interface SentQuestion {
  readonly from: NetworkEnd;
  /** The host to which the messages go. */
  readonly to: string;
  readonly url: string;
  readonly method: string;
  readonly request: Message;
  readonly line: NetworkLine;
}

/** A path with the two hosts the other way round. */
export function pathBack({ from, to }: SentQuestion): { readonly from: string; readonly to: string } {
  return { from: to, to: from.life.host };
}

export function unavailable({ url, method }: SentQuestion, why: string): NetloomError {
  return new NetloomError("UNAVAILABLE", `call ${url} ${method}: ${why}`, {
    reason: reason("PEER_UNREACHABLE", { url, why }),
  });
}

/** RESOURCE_EXHAUSTED for a message that is larger than any hop carries. */
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

/** What of an error crosses the network: of a programmer's nothing but that there was one, and it fails the run. */
export function copyError(error: unknown, life: Life): NetloomError {
  if (!(error instanceof NetloomError)) {
    life.codeOf(error);
    return new NetloomError("INTERNAL", "internal error: see the log of the other side");
  }
  const { code, message, hint, topic, reason: why } = error;
  return new NetloomError(code, message, { topic, reason: why, ...(hint !== undefined && { hint }) });
}

/** Ends the scope of a call whose outcome is known; an operating error of its tasks is nobody's any more. */
export function endCall(scope: Scope, life: Life): void {
  scope.end().catch((error: unknown) => life.codeOf(error));
}

/** Each way between two hosts. */
export interface Path {
  readonly from: string;
  readonly to: string;
}

/** What calls and streams ask of the network. */
export interface Ways {
  /** Who serves there now. */
  listener(host: string, url: string): SimListener | undefined;
  /** `deliver` runs when the message arrives, `onLost` where it does not. */
  send(path: Path, detail: string, deliver: () => string | void, onLost?: () => void): void;
  /** After how long a stream of this connection is cut, for each cut that is planned. */
  cutsAfterMs(path: Path, connection: string): number[];
}
