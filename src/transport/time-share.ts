/** Shares this process's time among peers: what one of them has too much of waits, and the others do not. */
export interface TimeShareOptions {
  /** Of the time, between 0 and 1. */
  readonly share: number;
  readonly burstMs: number;
}

/** For so long a peer that was at work counts as one that others have to leave time for. */
const COMPANY_MS = 1_000;

/** Tells whether others have been at work of late. */
export class Company {
  #latest: object | undefined;
  #latestMs = -Infinity;
  /** When somebody else was, before. */
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

/** Work of one peer in one turn of the event loop; the rest waits for the next, behind what others have sent meanwhile. */
const SLICE_MS = 2;

/**
 * Work is done in its order; at once as long as the peer has time left, or nobody else is at work. What counts is the time of
 * the processor: on a busy machine nobody loses his share to other processes.
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

  /** In all. */
  get takenMs(): number {
    return this.#takenMs;
  }

  /** After how long the peer has all its time again. */
  get recoveryMs(): number {
    this.#fill();
    return (this.#burstMs - this.#balanceMs) / this.#share;
  }

  /** Whether the peer has taken more than its share, and others wait. */
  get isSpent(): boolean {
    this.#fill();
    return this.#balanceMs <= 0 && !this.#company.isAlone(this);
  }

  /** Whether the peer has ever gone on beyond its share while others waited. */
  get wasSpent(): boolean {
    return this.#wasSpent;
  }

  /** Does `work` when it is its turn, and takes its time from the peer's. It must not throw. */
  run(work: () => void): void {
    if (this.#waiting.length === 0 && !this.isSpent && this.#turnMs < SLICE_MS) this.#do(work);
    else {
      this.#waiting.push(work);
      this.#wait();
    }
  }

  /** Takes time for work that is done elsewhere. */
  spend(ms: number): void {
    this.#fill();
    this.#company.note(this);
    this.#balanceMs -= ms;
    this.#takenMs += ms;
    // Time that nobody missed is not made up for.
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
