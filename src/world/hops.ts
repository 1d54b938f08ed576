/** The way to other stations, as bytes. */
import type { Scope } from "../async/scope.ts";
import type { Watch } from "../async/watch.ts";
import type { Credentials } from "./credentials.ts";
import type { Peer } from "./peer.ts";

/** Text that travels beside a message: gRPC's ASCII metadata. Keys in lower case. */
export type Metadata = Readonly<Record<string, string>>;

export interface Message {
  readonly bytes: Uint8Array;
  readonly metadata: Metadata;
}

/** The largest message that any hop carries, gRPC's own default. */
export const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;

/** How long, and for whom, an answer is waited for. */
export interface Waiting {
  readonly timeoutMs: number;
  readonly scope?: Scope;
}

/** The next station of a message. Bytes, so that no object is ever shared between hosts. */
export interface Hop {
  /**
   * Who is there, known when both ends have proven themselves: connects, if it must. Who proves nothing is where the URL
   * leads. Errors as of `call`; UNAUTHENTICATED, here and there, for one that this side does not believe.
   */
  peer(options: Waiting): Promise<Peer>;
  /**
   * UNAVAILABLE if the other side is not there, DEADLINE_EXCEEDED if the answer does not come in time, CANCELLED if
   * `scope` ends first, RESOURCE_EXHAUSTED for a message of more than `MAX_MESSAGE_BYTES`, else the error of the other
   * side's handler with its code. After an error the other side may have done the work, will do it, or will do it
   * twice: handlers are idempotent.
   */
  call(method: string, request: Message, options: Waiting): Promise<Message>;
  /**
   * A stream of answers to one request. `next` resolves with `undefined` when the other side has ended it, and rejects
   * as `call` does when it breaks; it has no deadline. `close` ends it on both sides.
   */
  watch(method: string, request: Message): Watch<Uint8Array>;
}

/** Several stations of which each does for the others. Who is there is a question to one of them, so it is not asked here. */
export interface SeveralHops extends Pick<Hop, "call" | "watch"> {
  /**
   * Puts `ask` to one, and to the next from the beginning if that one is gone. What belongs together in one call, as a token and
   * the message that it goes with, belongs into one `ask`.
   */
  ask<T>(options: Waiting, ask: (hop: Hop, options: Waiting) => Promise<T>): Promise<T>;
}

/** A call as it arrives. */
export interface Incoming extends Message {
  /** Full name: `/networkservice.NetworkService/Request`. */
  readonly method: string;
  readonly peer: Peer;
  /** Ends when the caller goes away, or at its deadline. */
  readonly scope: Scope;
  /** On `Clock.monotonicMs`; infinite for a stream. */
  readonly deadlineMs: number;
}

/**
 * Answers calls. Their errors go to the caller if they are NetloomErrors; any other is a programmer's, and the caller
 * is told INTERNAL without its text.
 */
export interface Handler {
  /** Full names of what is served, and whether one answer comes or a stream. */
  readonly methods: readonly { readonly path: string; readonly kind: "call" | "watch" }[];
  call(incoming: Incoming): Promise<Message>;
  /** The stream is closed when the caller goes away. */
  watch(incoming: Incoming): Watch<Uint8Array>;
}

export interface Hops {
  /**
   * `unix:///path`, `tcp://10.0.0.1:5001`, `tcp://[2001:db8::1]:5001`, `tcp://alpha.example:5001`. Connects when it is used. A name
   * is looked up for every connection. Dials of one URL share a connection with the same credentials only. Default: the
   * credentials of this process.
   */
  dial(url: string, credentials?: Credentials): Hop;
  /** IP addresses that `url` leads to now; none for a socket. UNAVAILABLE for a name that nobody knows. */
  addressesOf(url: string): Promise<readonly string[]>;
  /**
   * Until the returned function is called, `url` leads to who is there now, or to nobody: the file system gives the inode
   * of a socket that is gone to the next one. Addresses of other kinds need no holding. UNAVAILABLE if nobody is there now.
   */
  hold(url: string): Promise<() => void>;
  /**
   * ALREADY_EXISTS if somebody serves there. Who does not prove himself as `credentials` want it gets in touch with no handler.
   * The returned function ends it, and what is under way there. Default: the credentials of this process.
   */
  serve(url: string, handler: Handler, credentials?: Credentials): Promise<() => Promise<void>>;
}
