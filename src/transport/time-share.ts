/** Shares this process's time among peers: work of a peer beyond its share waits, and others do not. */
export interface TimeShareOptions {
  /** Share of the time, between 0 and 1. */
  readonly share: number;
  readonly burstMs: number;
}

/** Time for which a peer that was active still counts as a competitor of the others. */
const COMPANY_MS = 1_000;

/** Tracks whether other peers were active recently. */
export class Company {
  #latest: object | undefined;
  #latestMs = -Infinity;
  /** The last time at which another peer than the latest was active. */
  #othersMs = -Infinity;

  note(who: object): void {
    if (who !== this.#latest) [this.#latest, this.#othersMs] = [who, this.#latestMs];
    this.#latestMs = performance.now();
  }

  isAlone(who: object): boolean {
    const othersMs = who === this.#latest ? this.#othersMs : this.#latestMs;
    return performance.now() - othersMs > COMPANY_MS;
  }
}

/**
 * Work of one peer in one turn of the event loop; the rest waits for the next turn, after work that others sent
 * meanwhile.
 */
const SLICE_MS = 2;

/**
 * Runs work in order; at once while the peer has time left, or no other peer is active. Only processor time counts: on
 * a busy machine no peer loses its share to other processes.
 */
export class TimeShare {
  readonly #share: number;
  readonly #burstMs: number;
  readonly #company: Company;
  readonly #waiting: (() => void)[] = [];
  #balanceMs: number;
  #filledAtMs = performance.now();
  #takenMs = 0;
  #turnMs = 0;
  #isTurnEnding = false;
  #wasSpent = false;
  #timer: NodeJS.Timeout | undefined;

  constructor({ share, burstMs }: TimeShareOptions, company: Company) {
    this.#company = company;
    this.#share = share;
    this.#burstMs = burstMs;
    this.#balanceMs = burstMs;
  }

  /** Total time used. */
  get takenMs(): number {
    return this.#takenMs;
  }

  /** Time until the peer's full budget is restored. */
  get recoveryMs(): number {
    this.#fill();
    return (this.#burstMs - this.#balanceMs) / this.#share;
  }

  /** Whether the peer has used more than its share while others wait. */
  get isSpent(): boolean {
    this.#fill();
    return this.#balanceMs <= 0 && !this.#company.isAlone(this);
  }

  /** Whether the peer has ever continued beyond its share while others waited. */
  get wasSpent(): boolean {
    return this.#wasSpent;
  }

  /** Runs `work` when it is its turn, and charges its time to the peer. It must not throw. */
  run(work: () => void): void {
    if (this.#waiting.length === 0 && !this.isSpent && this.#turnMs < SLICE_MS) this.#do(work);
    else {
      this.#waiting.push(work);
      this.#wait();
    }
  }

  /** Charges time for work that is done elsewhere. */
  spend(ms: number): void {
    this.#fill();
    this.#company.note(this);
    this.#balanceMs -= ms;
    this.#takenMs += ms;
    // Time that no other peer needed is not paid back.
    if (this.#company.isAlone(this)) this.#balanceMs = Math.max(this.#balanceMs, -this.#burstMs);
    this.#wasSpent ||= this.isSpent;
    this.#turnMs += ms;
    if (this.#isTurnEnding) return;
    this.#isTurnEnding = true;
    setImmediate(() => {
      this.#isTurnEnding = false;
      this.#turnMs = 0;
      this.#goOn();
    });
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#waiting.length = 0;
  }

  #do(work: () => void): void {
    const before = process.threadCpuUsage();
    work();
    const { user, system } = process.threadCpuUsage(before);
    this.spend((user + system) / 1000);
  }

  #goOn(): void {
    while (this.#waiting.length > 0 && !this.isSpent && this.#turnMs < SLICE_MS) {
      const work = this.#waiting.shift();
      if (work) this.#do(work);
    }
    if (this.#waiting.length > 0) this.#wait();
  }

  #wait(): void {
    if (this.#isTurnEnding && !this.isSpent) return;
    this.#timer ??= setTimeout(
      () => {
        this.#timer = undefined;
        this.#goOn();
      },
      Math.max(1, -this.#balanceMs / this.#share),
    ).unref();
  }

  #fill(): void {
    const nowMs = performance.now();
    this.#balanceMs = Math.min(this.#burstMs, this.#balanceMs + (nowMs - this.#filledAtMs) * this.#share);
    this.#filledAtMs = nowMs;
  }
}
