/** All that the deterministic zone may reach of its surroundings (docs/determinism.md has the rules). */
import type { Kernel, Watch } from "./kernel.ts";
import type { Scope } from "./scope.ts";

export interface Clock {
  /** Wall time, milliseconds since the epoch. May jump: never measure with it. */
  wallMs(): number;
  /** Milliseconds since an arbitrary start. Never goes back. */
  monotonicMs(): number;
  /** Resolves after `durationMs`; rejects with CANCELLED when `scope` ends first. */
  sleep(durationMs: number, scope?: Scope): Promise<void>;
}

export interface Random {
  /**
   * A number in [0, 1) that depends on nothing but the host, `purpose` and `n`, so that one draw more or less
   * shifts no other.
   */
  fraction(purpose: string, n: number): number;
  /** `length` bytes, likewise. In production they come from the system's generator. */
  bytes(purpose: string, n: number, length: number): Uint8Array;
}

/** Synchronous, so that the order of signatures is the order of the calls. */
export interface Keys {
  digest(data: Uint8Array): Uint8Array;
  sign(data: Uint8Array): Uint8Array;
  verify(data: Uint8Array, signature: Uint8Array): boolean;
  /** A version 4 UUID, RFC 9562 section 5.4. */
  uuid(): string;
}

/** Text that travels beside a message: gRPC's ASCII metadata. Keys in lower case. */
export type Metadata = Readonly<Record<string, string>>;

export interface Message {
  readonly bytes: Uint8Array;
  readonly metadata: Metadata;
}

/** Who is at the other end of a transport connection. */
export interface Peer {
  /**
   * What ownership is bound to: the SPIFFE ID where the transport has proven one, else what an insecure listener knows
   * of its peer (`unix`, `tcp:10.0.0.1`), or `self` for a call that began in this process.
   */
  readonly id: string;
  /** The transport connection, unique in this process. */
  readonly connection: string;
  /** The peer shares this host: it came by a unix socket, or it is this process. */
  readonly isLocal: boolean;
}

/** The largest message that any hop carries, gRPC's own default. */
export const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;

/** The next station of a message. Bytes, so that no object is ever shared between hosts. */
export interface Hop {
  /**
   * UNAVAILABLE if the other side is not there, DEADLINE_EXCEEDED if the answer does not come in time, CANCELLED if
   * `scope` ends first, RESOURCE_EXHAUSTED for a message of more than `MAX_MESSAGE_BYTES`, else the error of the other
   * side's handler with its code. After an error the other side may have done the work, will do it, or will do it
   * twice: handlers are idempotent.
   */
  call(
    method: string,
    request: Message,
    options: { readonly timeoutMs: number; readonly scope?: Scope },
  ): Promise<Message>;
  /**
   * A stream of answers to one request. `next` resolves with `undefined` when the other side has ended it, and rejects
   * as `call` does when it breaks; it has no deadline. `close` ends it on both sides.
   */
  watch(method: string, request: Message): Watch<Uint8Array>;
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
  /** `unix:///path`, `tcp://10.0.0.1:5001`, `tcp://[2001:db8::1]:5001`. Connects when it is used. */
  dial(url: string): Hop;
  /**
   * Until the returned function is called, `url` leads to who is there now, or to nobody: the file system gives the inode
   * of a socket that is gone to the next one. Addresses of other kinds need no holding. UNAVAILABLE if nobody is there now.
   */
  hold(url: string): () => void;
  /** ALREADY_EXISTS if somebody serves there. The returned function ends it, and what is under way there. */
  serve(url: string, handler: Handler): Promise<() => Promise<void>>;
}

/**
 * Small files that survive a crash. Nothing is durable before `sync` has resolved. Calls take effect in their order.
 * RESOURCE_EXHAUSTED if the disk is full, INTERNAL if it fails.
 */
export interface Disk {
  /** `undefined` if there is no such file. */
  read(name: string): Promise<Uint8Array | undefined>;
  /** After a crash or an error any part of `data`, from its beginning, may be there. */
  append(name: string, data: Uint8Array): Promise<void>;
  /** After a crash the file holds the old content or the new one, never a mixture. */
  replace(name: string, data: Uint8Array): Promise<void>;
  sync(name: string): Promise<void>;
}

export interface StoreEntry {
  readonly key: string;
  readonly value: Uint8Array;
  /** Store-wide revision of the last change of this key. */
  readonly revision: number;
}

export type StoreEvent =
  | { readonly type: "put"; readonly entry: StoreEntry }
  | { readonly type: "delete"; readonly key: string; readonly revision: number };

export interface PutOptions {
  /** The lease that the key lives by. */
  readonly lease?: string;
  /** Revision that the key must have; 0 means that it must not exist. ABORTED otherwise. */
  readonly expectedRevision?: number;
}

/** Shared state, modelled on etcd v3 (https://etcd.io/docs/v3.4/learning/api/): the weakest backend has to keep the same promise. */
export interface Store {
  get(key: string): Promise<StoreEntry | undefined>;
  /** Sorted by key, in code units. `revision` is the one to watch from. */
  list(prefix: string): Promise<{ readonly entries: readonly StoreEntry[]; readonly revision: number }>;
  /** Returns the new revision. NOT_FOUND if the lease is over. Without `lease` the key outlives the lease it had. */
  put(key: string, value: Uint8Array, options?: PutOptions): Promise<number>;
  /** Deleting what is not there is a success, unless `expectedRevision` says otherwise (ABORTED). */
  delete(key: string, options?: { readonly expectedRevision?: number }): Promise<void>;
  /** When the lease is over, by time or by `revokeLease`, its keys are deleted in one revision. */
  grantLease(ttlMs: number): Promise<string>;
  /** Makes the lease last its full time from now. NOT_FOUND if it is over. */
  keepAlive(lease: string): Promise<void>;
  revokeLease(lease: string): Promise<void>;
  /**
   * Every change after `revision`, in order, each once. FAILED_PRECONDITION if the store has forgotten changes since
   * then, UNAVAILABLE if it went away: list, and watch anew.
   */
  watch(prefix: string, revision: number): Watch<StoreEvent>;
}

export interface World {
  /** Name of the host that this world belongs to. */
  readonly host: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly keys: Keys;
  readonly hops: Hops;
  readonly disk: Disk;
  readonly store: Store;
  readonly kernel: Kernel;
  /** The root of everything that this world has started. */
  readonly scope: Scope;
  /** Settles as the first of `promises`; the others must belong to scopes that the caller ends. */
  race<T>(promises: readonly Promise<T>[]): Promise<T>;
}
