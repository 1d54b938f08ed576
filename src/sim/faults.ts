/**
 * Faults are a list drawn before the run (rule R5). A fault names its victim by number (the 7th message from alpha to
 * beta), so that removing one does not shift the others, and a failing list can be minimised.
 */
import type { Failpoint } from "../kernel/kernel.ts";
import { SimRandom, between } from "./random.ts";

/** The host name of the shared store, for message faults and partitions. */
export const STORE_HOST = "store";

/** The longest delay that a fault adds to a message. */
export const MAX_LATE_MS = 2000;

export type Fault =
  /** The process dies, and restarts `downMs` later with the same disk and kernel. */
  | { readonly kind: "crash"; readonly host: string; readonly atMs: number; readonly downMs: number }
  /** No message passes between two hosts, in either direction. */
  | {
      readonly kind: "partition";
      readonly hosts: readonly [string, string];
      readonly atMs: number;
      readonly forMs: number;
    }
  /** Strikes the n-th message, from 0, from one host to another. */
  | {
      readonly kind: "message";
      readonly from: string;
      readonly to: string;
      readonly n: number;
      readonly how: "lose" | "duplicate" | "delay";
      /** Delay of the late message, or of the second copy. */
      readonly delayMs: number;
    }
  /** Fails the n-th write (append, replace or sync) of a host. */
  | { readonly kind: "disk"; readonly host: string; readonly n: number; readonly how: "full" | "io" }
  /** Strikes the n-th batch of a host's kernel. */
  | { readonly kind: "kernel"; readonly host: string; readonly n: number; readonly failpoint: Failpoint }
  /** The wall clock jumps; the monotonic clock does not. */
  | { readonly kind: "clock"; readonly host: string; readonly atMs: number; readonly jumpMs: number };

export function describeFault(fault: Fault): string {
  switch (fault.kind) {
    case "crash":
      return `crash of ${fault.host} at ${fault.atMs} ms, back after ${fault.downMs} ms`;
    case "partition":
      return `partition of ${fault.hosts.join(" and ")} at ${fault.atMs} ms for ${fault.forMs} ms`;
    case "message":
      return `${fault.how} message ${fault.n} from ${fault.from} to ${fault.to} (${fault.delayMs} ms)`;
    case "disk":
      return `write ${fault.n} of ${fault.host}: ${fault.how === "full" ? "disk full" : "i/o error"}`;
    case "kernel": {
      const { how, when, operation } = fault.failpoint;
      return `batch ${fault.n} of ${fault.host}'s kernel: ${how} ${when} operation ${operation}`;
    }
    case "clock":
    default:
      return `wall clock of ${fault.host} jumps by ${fault.jumpMs} ms at ${fault.atMs} ms`;
  }
}

export interface FaultPlanOptions {
  readonly seed: string;
  readonly hosts: readonly string[];
  /** Faults with a time strike before this time. */
  readonly durationMs: number;
  readonly count: number;
}

/** Draws `count` faults of all kinds. The same seed draws the same list. */
export function drawFaults(options: FaultPlanOptions): Fault[] {
  return Array.from({ length: options.count }, (_, index) => drawFault(options, index));
}

function drawFault({ seed, hosts, durationMs }: FaultPlanOptions, index: number): Fault {
  const random = new SimRandom(seed, "faults");
  const draw = (purpose: string, from: number, to: number): number =>
    between(random, purpose, index, from, to);
  const hostAt = (position: number): string => hosts[position % hosts.length] ?? "";
  const first = draw("host", 0, hosts.length);
  const host = hostAt(first);
  const other = hostAt(first + draw("other", 1, hosts.length));
  const atMs = draw("at", 0, durationMs);
  const kind = draw("kind", 0, 100);
  if (kind < 15) return { kind: "crash", host, atMs, downMs: draw("down", 1, 500) };
  if (kind < 22) return { kind: "partition", hosts: [host, other], atMs, forMs: draw("for", 10, 1500) };
  if (kind < 70) {
    const how = (["lose", "duplicate", "delay"] as const)[draw("how", 0, 3)] ?? "lose";
    return {
      kind: "message",
      from: host,
      to: other,
      n: draw("n", 0, 60),
      how,
      delayMs: draw("delay", 1, MAX_LATE_MS),
    };
  }
  if (kind < 82) {
    return { kind: "disk", host, n: draw("n", 0, 80), how: draw("how", 0, 2) === 0 ? "full" : "io" };
  }
  if (kind < 97) {
    const failpoint: Failpoint = {
      operation: draw("operation", 0, 6),
      when: draw("when", 0, 2) === 0 ? "before" : "after",
      how: draw("how", 0, 2) === 0 ? "error" : "crash",
    };
    return { kind: "kernel", host, n: draw("n", 0, 20), failpoint };
  }
  return { kind: "clock", host, atMs, jumpMs: draw("jump", -3_600_000, 3_600_000) };
}

/** Looks up faults for the simulated world, and counts the faults that struck. */
export class FaultPlan {
  readonly faults: readonly Fault[];
  readonly #struck = new Set<Fault>();
  #isCalm = false;

  constructor(faults: readonly Fault[]) {
    this.faults = faults;
  }

  /** The number of faults that have struck so far. */
  get struck(): number {
    return this.#struck.size;
  }

  /** Disables the faults on messages, writes and batches from now on. */
  calm(): void {
    this.#isCalm = true;
  }

  strike(fault: Fault): void {
    this.#struck.add(fault);
  }

  messages(from: string, to: string, n: number): Extract<Fault, { kind: "message" }>[] {
    return this.#find("message", (fault) => fault.from === from && fault.to === to && fault.n === n);
  }

  /** The partitions between two hosts. Does not count as a strike. */
  partitions(a: string, b: string): Extract<Fault, { kind: "partition" }>[] {
    return this.faults.flatMap((fault) =>
      a !== b && fault.kind === "partition" && fault.hosts.includes(a) && fault.hosts.includes(b)
        ? [fault]
        : [],
    );
  }

  isPartitioned(a: string, b: string, nowMs: number): boolean {
    const found = this.#find(
      "partition",
      ({ hosts, atMs, forMs }) =>
        hosts.includes(a) && hosts.includes(b) && nowMs >= atMs && nowMs < atMs + forMs,
    );
    return a !== b && found.length > 0;
  }

  disk(host: string, n: number): "full" | "io" | undefined {
    return this.#find("disk", (fault) => fault.host === host && fault.n === n)[0]?.how;
  }

  kernel(host: string, n: number): Failpoint | undefined {
    return this.#find("kernel", (fault) => fault.host === host && fault.n === n)[0]?.failpoint;
  }

  #find<K extends Fault["kind"]>(
    kind: K,
    matches: (fault: Extract<Fault, { kind: K }>) => boolean,
  ): Extract<Fault, { kind: K }>[] {
    if (this.#isCalm && kind !== "partition") return [];
    const found = this.faults.filter(
      (fault): fault is Extract<Fault, { kind: K }> =>
        fault.kind === kind && matches(fault as Extract<Fault, { kind: K }>),
    );
    for (const fault of found) this.strike(fault);
    return found;
  }
}

/**
 * Removes faults while `fails` stays true, larger pieces first (delta debugging,
 * https://www.st.cs.uni-saarland.de/papers/tse2002/). No single fault of the result can be left out.
 */
export async function minimiseFaults(
  faults: readonly Fault[],
  fails: (faults: readonly Fault[]) => Promise<boolean>,
): Promise<readonly Fault[]> {
  let kept = faults;
  for (let size = Math.ceil(kept.length / 2); size >= 1;) {
    const before = kept.length;
    for (let start = 0; start < kept.length;) {
      const smaller = kept.toSpliced(start, size);
      if (await fails(smaller)) kept = smaller;
      else start += size;
    }
    if (size > 1) size = Math.ceil(size / 2);
    else if (kept.length === before) break;
  }
  return kept;
}
