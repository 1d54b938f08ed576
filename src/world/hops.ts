/** Calls to other stations, as bytes. */
import type { Scope } from "../async/scope.ts";
import type { Watch } from "../async/watch.ts";
import type { Credentials } from "./credentials.ts";
import type { Peer } from "./peer.ts";

/** Text metadata of a message: gRPC's ASCII metadata. Keys in lower case. */
export type Metadata = Readonly<Record<string, string>>;

export interface Message {
  readonly bytes: Uint8Array;
  readonly metadata: Metadata;
}

/** The largest message that any hop carries, gRPC's own default. */
export const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;

/** The time limit of a call, and the scope that cancels it. */
export interface Waiting {
  readonly timeoutMs: number;
  readonly scope?: Scope;
}

/** The next station of a message. It takes bytes, so that hosts never share an object. */
export interface Hop {
  /**
   * The identity of the peer, after a mutual handshake. Connects if necessary. A peer without a proof is identified by the
   * URL. Fails as `call` does; both fail with UNAUTHENTICATED if this side does not accept the peer's proof.
   */
  peer(options: Waiting): Promise<Peer>;
  /**
   * Errors: UNAVAILABLE if the other side is not there, DEADLINE_EXCEEDED if no answer comes in time, CANCELLED if `scope`
   * ends first, RESOURCE_EXHAUSTED for a message larger than `MAX_MESSAGE_BYTES`, otherwise the error of the remote handler
   * with its code. After an error the other side may have done the work, may still do it, or may do it twice: handlers are
   * idempotent.
   */
  call(method: string, request: Message, options: Waiting): Promise<Message>;
  /**
   * Opens a stream of answers to one request. `take` resolves with `undefined` when the other side has ended the stream,
   * and rejects as `call` does when the stream breaks. There is no deadline. `close` ends the stream on both sides.
   */
  watch(method: string, request: Message): Watch<Uint8Array>;
}

/** Several equivalent stations. Each may have another peer, so `peer` exists only on the hop that `ask` passes. */
export interface SeveralHops extends Pick<Hop, "call" | "watch"> {
  /**
   * Runs `ask` with one station, and again from the start with the next one if that station is unavailable. Do dependent
   * steps, such as making a token and sending the message it is for, within one `ask`.
   */
  ask<T>(options: Waiting, ask: (hop: Hop, options: Waiting) => Promise<T>): Promise<T>;
}

/** The circumstances of a received call. */
export interface Incoming {
  readonly peer: Peer;
  /** Ends when the caller goes away, or at the deadline. */
  readonly scope: Scope;
  /** Time on `Clock.monotonicMs`; infinite for a stream. */
  readonly deadlineMs: number;
  /** The metadata that came beside the message. */
  readonly metadata?: Metadata;
}

/** A received call with its message. */
export interface IncomingMessage extends Message, Incoming {
  /** The full name: `/networkservice.NetworkService/Request`. */
  readonly method: string;
  readonly metadata: Metadata;
}

/**
 * Answers calls. A NetloomError goes to the caller. Any other error is a bug, and the caller gets INTERNAL without its
 * text.
 */
export interface Handler {
  /** The full names of the served methods, and whether each returns one answer or a stream. */
  readonly methods: readonly { readonly path: string; readonly kind: "call" | "watch" }[];
  call(incoming: IncomingMessage): Promise<Message>;
  /** Opens a stream. It is closed when the caller goes away. */
  watch(incoming: IncomingMessage): Watch<Uint8Array>;
}

export interface Hops {
  /**
   * A hop to `unix:///path`, `tcp://10.0.0.1:5001`, `tcp://[2001:db8::1]:5001` or `tcp://alpha.example:5001`. Connects on
   * first use. A name is resolved for each connection. Dials of one URL share a connection only if their credentials are
   * the same. Default: the credentials of this process.
   */
  dial(url: string, credentials?: Credentials): Hop;
  /** The IP addresses that `url` currently resolves to; none for a socket. UNAVAILABLE if the name does not resolve. */
  addressesOf(url: string): Promise<readonly string[]>;
  /**
   * Until the returned function is called, `url` leads to its current listener or to none. Sockets need this because the
   * file system gives the inode of a removed socket to the next one; other addresses do not. UNAVAILABLE if nothing
   * listens there now.
   */
  hold(url: string): Promise<() => void>;
  /**
   * Serves `handler` at `url`. ALREADY_EXISTS if the address is in use. A peer without the proof that `credentials` demand
   * reaches no handler. The returned function stops serving and ends the calls under way. Default: the credentials of this
   * process.
   */
  serve(url: string, handler: Handler, credentials?: Credentials): Promise<() => Promise<void>>;
}
