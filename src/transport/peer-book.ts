/** What each peer has of a listener, and whether it may have more. */
import { NetloomError } from "../errors/errors.ts";
import type { Proven } from "../world/credentials.ts";
import { type Peer, peerKey, principalText } from "../world/peer.ts";
import { MAX_UNFINISHED_BYTES, type PeerLimits } from "./peer-limits.ts";
import { type Company, TimeShare } from "./time-share.ts";

/** Making a connection and its session. */
const CONNECTION_MS = 1;

/** The most that HTTP/2 and gRPC do for a stream: more than that in one turn of the event loop was for something else. */
const MOST_STREAM_MS = 0.5;

/** A peer that goes on is named again after this. */
const QUIET_MS = 600_000;
const MAX_NAMED = 1_024;

/** A peer that had more than its share is remembered for so long after it has gone: its connections are read in pieces. */
const REMEMBER_MS = 60_000;

export interface PeerBookOptions {
  readonly limits: PeerLimits;
  /** Of all listeners of this process. */
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
  /** In this turn of the event loop: streams of each peer, and the time it had taken before. */
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

  /** `undefined` if the peer has too many connections, or has had more of this process's time than its share. */
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
   * The handshake of a connection is over: from now on it is counted for who was proven. `undefined` if that one may not have it,
   * or nobody was proven.
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

  /** A stream has come. What that costs beside the work that is measured is known when the event loop turns. */
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

  /** Bytes of a request that has not ended; negative when it has. False if they are too many. */
  hold(account: PeerAccount, bytes: number): boolean {
    account.unfinishedBytes += bytes;
    this.#unfinishedBytes += bytes;
    return (
      account.unfinishedBytes <= this.limits.unfinishedBytes && this.#unfinishedBytes <= MAX_UNFINISHED_BYTES
    );
  }

  /** Logs what a peer is refused: once, however often it tries. */
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

  /** Not before the peer has its time back: otherwise a new connection would be a new beginning. */
  #forget(account: PeerAccount, rememberMs: number = account.time.wasSpent ? REMEMBER_MS : 0): void {
    if (account.connections > 0) return;
    const waitMs = Math.max(account.time.recoveryMs, rememberMs);
    if (waitMs > 0) setTimeout(() => this.#forget(account, 0), waitMs).unref();
    else if (this.#accounts.get(account.key) === account) this.#accounts.delete(account.key);
  }
}
