/**
 * Detects whether a silent peer is still there. HTTP/2 pings are not usable, because strangers' servers end a
 * connection that pings more often than every 5 minutes (grpc-go, keepalive.EnforcementPolicy). A call of
 * grpc.health.v1 is always allowed, and any answer to it is a sign of life, UNIMPLEMENTED included.
 */
export interface LivenessOptions {
  /** Resolves with whether there was an answer. */
  readonly probe: () => Promise<boolean>;
  readonly onDead: () => void;
  readonly intervalMs: number;
}

export class Liveness {
  readonly #options: LivenessOptions;
  #watchers = 0;
  #timer: NodeJS.Timeout | undefined;
  #isProbing = false;
  #isClosed = false;

  constructor(options: LivenessOptions) {
    this.#options = options;
  }

  /** Probes every `intervalMs` while there is a watch. Call the returned function to end it. */
  watch(): () => void {
    this.#watchers += 1;
    this.#timer ??= setInterval(() => this.suspect(), this.#options.intervalMs).unref();
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      this.#watchers -= 1;
      if (this.#watchers === 0) this.#stop();
    };
  }

  /** Probes now, because an answer did not come in time. */
  suspect(): void {
    if (this.#isProbing || this.#isClosed) return;
    this.#isProbing = true;
    this.#options
      .probe()
      .then((isAlive) => {
        this.#isProbing = false;
        if (!isAlive && !this.#isClosed) this.#options.onDead();
      })
      .catch(() => {
        this.#isProbing = false;
      });
  }

  close(): void {
    this.#isClosed = true;
    this.#stop();
  }

  #stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
