/** Limits of one peer at a listener. docs/reference/limits.md gives the reasons. */
export interface PeerLimits {
  readonly connections: number;
  /** Running calls and streams, over all connections. */
  readonly streams: number;
  /** Streams of answers among them, so that there is always room for calls. */
  readonly watches: number;
  /** Streams of one connection that it may reset one after the other. The budget refills at 500 a second. */
  readonly resets: number;
  /** Bytes of unfinished requests. */
  readonly unfinishedBytes: number;
  /** Time from the beginning of a request to its end, and from the connection to its first frame. */
  readonly readTimeoutMs: number;
  /** Share of this process's time in the long run: between 0 and 1. */
  readonly share: number;
  /** Time that a peer may use beyond its share, once. */
  readonly burstMs: number;
}

const MIB = 1024 * 1024;

export const PEER_LIMITS: PeerLimits = {
  connections: 256,
  streams: 8_192,
  watches: 3_072,
  resets: 8_192,
  unfinishedBytes: 16 * MIB,
  readTimeoutMs: 10_000,
  share: 0.5,
  burstMs: 1_000,
};

/** Limit over all peers. */
export const MAX_CONNECTIONS = 4_096;
export const MAX_UNFINISHED_BYTES = 256 * MIB;
