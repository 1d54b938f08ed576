/**
 * The time to make a complete wire: from `Reconciler.apply` on the main thread to its answer, through plan, worker and
 * kernel. The baseline is one shell that runs the script of the same plan (`netloom script`): the same devices, addresses,
 * routes and neighbours by `ip` and `tc`. All wires stay until the end of a round, so that no deletion runs beside a
 * measurement.
 */
import { sized } from "./sized.ts";
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { planWire } from "../src/forwarder/plan/plan-wire.ts";
import { Reconciler } from "../src/forwarder/reconcile/reconcile.ts";
import type { Kernel } from "../src/kernel/kernel.ts";
import { Bed, wireOf, type WireOptions } from "./bed.ts";
import { elapsedByScript, operations, scriptOf, type ScriptPart } from "./by-script.ts";
import {
  measurePairs,
  type Paired,
  pairedRow,
  percentile,
  plainRow,
  readCpuTimes,
  report,
  spread,
  stealShare,
} from "./report.ts";
import { type BenchRow } from "./row.ts";

const ROUNDS = sized(3, 1);
const PAIRS_PER_ROUND = sized(12, 2);
/** Wires made in a row before the script's turn, so that not each of them finds cold caches. */
const WIRES_PER_TURN = 5;
const BURSTS = sized(10, 1);
const BURST_MS = 100;
const CLOSES_PER_BURST = 30;
const GROUP = sized(200, 20);

/** A half, or a whole local wire, and its host. */
interface Part extends ScriptPart {
  readonly reconciler: Reconciler;
  readonly kernel: Kernel;
}

class KernelBench {
  readonly #bed: Bed;
  readonly #alpha: Reconciler;
  readonly #beta: Reconciler;
  #number = 0;
  readonly notes: string[] = [];

  constructor(bed: Bed) {
    this.#bed = bed;
    this.#alpha = new Reconciler(bed.alpha);
    this.#beta = new Reconciler(bed.beta);
  }

  /** Milliseconds of a complete wire; for a remote wire both halves in turn, the endpoint's first. */
  async wires(name: string, options: Pick<WireOptions, "isDual"> & { isRemote: boolean }): Promise<BenchRow> {
    const rounds: Paired[] = [];
    let all: number[] = [];
    for (let round = 0; round <= ROUNDS; round++) {
      const made: Part[][] = [];
      const next = (): Part[] => {
        const parts = this.#next(options);
        made.push(parts);
        return parts;
      };
      const paired = await measurePairs({
        // Round 0 warms up compilers, caches, and the kernel's numbers of the namespaces.
        pairs: round === 0 ? 5 : PAIRS_PER_ROUND,
        subject: async () => {
          const turn: number[] = [];
          while (turn.length < WIRES_PER_TURN) turn.push(await elapsed(next(), make));
          all.push(...turn);
          return percentile(turn, 50);
        },
        baseline: () => elapsedByScript(scriptOf(next(), "add")),
      });
      if (round === 0) all = [];
      if (round > 0) rounds.push(paired);
      for (const part of made.flat()) await takeAway(part);
      await this.#bed.settle();
    }
    const paired = joined(rounds);
    this.notes.push(
      `${name}: ${all.length} wires, spread ${spread(all)}, ${paired.baseline.length} scripts, spread ${spread(paired.baseline)}, repeated ${paired.repeated}`,
    );
    const { baseline, ratio } = pairedRow(name, "ms", paired);
    return { ...plainRow(name, "ms", all), baseline, ratio };
  }

  /** Milliseconds to the answer of one close, in bursts of closes that are requested at once. */
  async close(): Promise<BenchRow> {
    const answers: number[] = [];
    const paired = await measurePairs({
      pairs: ROUNDS,
      subject: async () => {
        const some = await this.#closeInBursts();
        answers.push(...some);
        return percentile(some, 50);
      },
      baseline: async () => {
        const [part] = await this.#makeLocal(1);
        return part ? elapsedByScript(scriptOf([part], "remove")) : Number.NaN;
      },
    });
    const { baseline, ratio } = pairedRow("close", "ms", paired);
    this.notes.push(
      `close: ${BURSTS} bursts a second of ${CLOSES_PER_BURST} closes at once, ${ROUNDS} seconds; max ${Math.max(...answers).toFixed(1)} ms`,
    );
    return { ...plainRow("close", "ms", answers), baseline, ratio };
  }

  /** Wires per second, from the first close until the kernel has freed the last device. */
  async closeGroup(): Promise<BenchRow> {
    const rate = (count: number, ms: number): number => (1000 * count) / ms;
    const paired = await measurePairs({
      pairs: ROUNDS,
      subject: async () => {
        const parts = await this.#makeLocal(GROUP);
        const startedAt = performance.now();
        await Promise.all(parts.map(({ reconciler, wire }) => reconciler.remove(wire.connectionId)));
        await this.#bed.settle();
        return rate(GROUP, performance.now() - startedAt);
      },
      baseline: async () => {
        const parts = await this.#makeLocal(GROUP / 10);
        return rate(parts.length, elapsedByScript(scriptOf(parts, "remove")));
      },
    });
    this.notes.push(`close-group: ${GROUP} wires closed at once; the script closes ${GROUP / 10}`);
    return pairedRow("close-group", "1/s", paired);
  }

  async #closeInBursts(): Promise<number[]> {
    const parts = await this.#makeLocal(BURSTS * CLOSES_PER_BURST);
    const answers: number[] = [];
    const startedAt = performance.now();
    for (let burst = 0; burst < BURSTS; burst++) {
      await sleep(Math.max(0, startedAt + burst * BURST_MS - performance.now()));
      const some = parts.slice(burst * CLOSES_PER_BURST, (burst + 1) * CLOSES_PER_BURST);
      answers.push(...(await Promise.all(some.map((part) => elapsed([part], takeAway)))));
    }
    await this.#bed.settle();
    return answers;
  }

  async #makeLocal(count: number): Promise<Part[]> {
    const parts = Array.from({ length: count }, () => this.#next({ isRemote: false })).flat();
    for (const part of parts) await make(part);
    return parts;
  }

  #next({ isRemote, ...options }: Pick<WireOptions, "isDual"> & { isRemote: boolean }): Part[] {
    const number = ++this.#number;
    const part = (kind: WireOptions["kind"]): Part => {
      const wire = wireOf({ ...options, number, kind });
      return kind === "far"
        ? { wire, reconciler: this.#beta, kernel: this.#bed.beta, host: "beta" }
        : { wire, reconciler: this.#alpha, kernel: this.#bed.alpha, host: "alpha" };
    };
    return isRemote ? [part("far"), part("near")] : [part("local")];
  }
}

async function make({ reconciler, wire }: Part): Promise<void> {
  await reconciler.apply(planWire(wire));
}

/** A wire made by a script is unknown to the reconciler, but has Netloom's mark. */
async function takeAway({ reconciler, kernel, wire }: Part): Promise<void> {
  const { connectionId } = wire;
  if (reconciler.owners().includes(connectionId)) await reconciler.remove(connectionId);
  else await kernel.apply(operations(wire, "remove"));
}

async function elapsed(parts: readonly Part[], action: (part: Part) => Promise<void>): Promise<number> {
  const startedAt = performance.now();
  for (const part of parts) await action(part);
  return performance.now() - startedAt;
}

function joined(rounds: readonly Paired[]): Paired {
  return {
    subject: rounds.flatMap(({ subject }) => subject),
    baseline: rounds.flatMap(({ baseline }) => baseline),
    repeated: rounds.reduce((sum, { repeated }) => sum + repeated, 0),
  };
}

await Bed.use(async (bed) => {
  const bench = new KernelBench(bed);
  const before = readCpuTimes();
  const rows = [
    await bench.wires("local", { isRemote: false }),
    await bench.wires("remote", { isRemote: true }),
    await bench.wires("local-dual", { isRemote: false, isDual: true }),
    await bench.wires("remote-dual", { isRemote: true, isDual: true }),
    await bench.close(),
    await bench.closeGroup(),
  ];
  const stolen = stealShare(before, readCpuTimes());
  report("kernel", rows, [...bench.notes, `stolen ${(100 * stolen).toFixed(1)} %`]);
});
