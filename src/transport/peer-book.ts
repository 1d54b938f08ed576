/** Counts each peer's use of a listener, and decides whether it may have more. */
import { NetloomError } from "../errors/errors.ts";
import type { Proven } from "../world/credentials.ts";
import { type Peer, peerKey, principalText } from "../world/peer.ts";
import { MAX_UNFINISHED_BYTES, type PeerLimits } from "./peer-limits.ts";
import { type Company, TimeShare } from "./time-share.ts";

/** Estimated cost of a connection and its session. */
const CONNECTION_MS = 1;

/**
 * The highest cost of a stream in HTTP/2 and gRPC: more time in one turn of the event loop was spent on something else.
 */
const MOST_STREAM_MS = 0.5;

/** Time after which a peer that keeps being refused is logged again. */
const QUIET_MS = 600_000;
const MAX_NAMED = 1_024;

/**
 * Time for which a peer that exceeded its share is remembered after it has gone: its connections are read in pieces.
 */
const REMEMBER_MS = 60_000;

export interface PeerBookOptions {
  readonly limits: PeerLimits;
  /** Shared by all listeners of this process. */
  readonly company: Company;
  readonly log: (line: string) => void;
}

/** The counts of one peer, over all its connections. */
export interface PeerAccount {
  readonly key: string;
  readonly time: TimeShare;
  connections: number;
  /** Streams so far. */
  opened: number;
  streams: number;
  watches: number;
  unfinishedBytes: number;
}

/** One transport connection of a peer. */
export interface PeerConnection {
  readonly peer: Peer;
  readonly account: PeerAccount;
}

export class PeerBook {
  readonly #options: PeerBookOptions;
  readonly #accounts = new Map<string, PeerAccount>();
  readonly #connections = new Map<string, PeerConnection>();
  readonly #named = new Map<string, number>();
  /** The peers of this turn of the event loop: number of streams, and time used before. */
  readonly #turn = new Map<PeerAccount, { streams: number; readonly takenMs: number }>();
  #unfinishedBytes = 0;

  constructor(options: PeerBookOptions) {
    this.#options = options;
  }

  get limits(): PeerLimits {
    return this.#options.limits;
  }

  find(connection: string | undefined): PeerConnection | undefined {
    return this.#connections.get(connection ?? "");
  }

  /**
   * Adds a connection. `undefined` if the peer has too many, or has used more than its share of this process's time.
   */
  connect(peer: Peer): PeerConnection | undefined {
    const key = peerKey(peer);
    const account = this.#accounts.get(key) ?? this.#open(key);
    const refuse = (why: string): undefined => this.warn(peer, `refused a connection: ${why}`);
    if (account.connections >= this.limits.connections)
      return refuse(`it has ${account.connections} already, as many as are allowed`);
    if (account.time.isSpent) return refuse("it keeps this process busier than one peer may");
    account.time.spend(CONNECTION_MS);
    account.connections += 1;
    const connection: PeerConnection = { peer, account };
    this.#connections.set(peer.connection, connection);
    return connection;
  }

  /**
   * Called at the end of a connection's handshake: from now on the connection counts for the proven peer. `undefined`
   * if that peer may not have it, or no peer was proven.
   */
  meet(
    connection: PeerConnection,
    outcome: { readonly proven?: Proven } | NetloomError,
  ): PeerConnection | undefined {
    const { peer } = connection;
    const isRefused = outcome instanceof NetloomError;
    if (!isRefused && !outcome.proven) return connection;
    this.disconnect(connection);
    if (isRefused) return this.warn(peer, `refused a connection: ${outcome.message}`);
    return this.connect({ ...peer, ...outcome.proven });
  }

  disconnect({ peer, account }: PeerConnection): void {
    if (!this.#connections.delete(peer.connection)) return;
    account.connections -= 1;
    this.#forget(account);
  }

  /** Counts a new stream. Its cost beyond the measured work is known when the event loop turns. */
  opened(account: PeerAccount): void {
    account.opened += 1;
    if (this.#turn.size === 0) {
      const before = process.threadCpuUsage();
      setImmediate(() => this.#charge(before));
    }
    const turn = this.#turn.get(account) ?? { streams: 0, takenMs: account.time.takenMs };
    turn.streams += 1;
    this.#turn.set(account, turn);
  }

  #charge(before: NodeJS.CpuUsage): void {
    const { user, system } = process.threadCpuUsage(before);
    let streams = 0;
    for (const turn of this.#turn.values()) streams += turn.streams;
    const streamMs = Math.min(MOST_STREAM_MS, (user + system) / 1000 / streams);
    for (const [{ time }, turn] of this.#turn) {
      const measuredMs = time.takenMs - turn.takenMs;
      time.spend(Math.max(0, turn.streams * streamMs - measuredMs));
    }
    this.#turn.clear();
  }

  /** Adds bytes of an unfinished request; negative when it ends. Returns false if they are too many. */
  hold(account: PeerAccount, bytes: number): boolean {
    account.unfinishedBytes += bytes;
    this.#unfinishedBytes += bytes;
    return (
      account.unfinishedBytes <= this.limits.unfinishedBytes && this.#unfinishedBytes <= MAX_UNFINISHED_BYTES
    );
  }

  /** Logs a refusal once, however often the peer tries. */
  warn(peer: Peer, what: string): undefined {
    const nowMs = performance.now();
    const name = `${principalText(peer.principal)} ${what.replaceAll(/\d+/g, "#")}`;
    if (nowMs - (this.#named.get(name) ?? -Infinity) < QUIET_MS) return;
    if (this.#named.size >= MAX_NAMED) this.#named.clear();
    this.#named.set(name, nowMs);
    this.#options.log(`peer ${principalText(peer.principal)}: ${what}; this is said once`);
  }

  close(): void {
    for (const { time } of this.#accounts.values()) time.close();
  }

  #open(key: string): PeerAccount {
    const time = new TimeShare(this.limits, this.#options.company);
    const account: PeerAccount = {
      key,
      time,
      connections: 0,
      opened: 0,
      streams: 0,
      watches: 0,
      unfinishedBytes: 0,
    };
    this.#accounts.set(key, account);
    return account;
  }

  /** Forgets a peer, but not before its time is restored: otherwise a new connection would start with a full budget. */
  #forget(account: PeerAccount, rememberMs: number = account.time.wasSpent ? REMEMBER_MS : 0): void {
    if (account.connections > 0) return;
    const waitMs = Math.max(account.time.recoveryMs, rememberMs);
    if (waitMs > 0) setTimeout(() => this.#forget(account, 0), waitMs).unref();
    else if (this.#accounts.get(account.key) === account) this.#accounts.delete(account.key);
  }
}
