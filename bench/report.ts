/**
 * Shared by all benches: samples taken in turn with a baseline, percentiles, time stolen by a hypervisor, a table for people
 * and a file for machines.
 */
import type { BenchRow } from "./row.ts";
import { isShort } from "./sized.ts";
import { aimsOf } from "./aims.ts";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";

/** Samples of two subjects, taken in turn so that both see the same conditions. */
export interface Paired<Sample = number> {
  readonly subject: readonly Sample[];
  readonly baseline: readonly Sample[];
  /** Pairs that were measured again because too much time was stolen. */
  readonly repeated: number;
}

/**
 * Measures ABAB…: `pairs` times the subject, then the baseline. A pair in which the hypervisor took more than
 * `maxStealShare` of all CPU time is measured again, at most `pairs` repeats in all. Default: 0.05.
 */
export async function measurePairs<Sample>(options: {
  readonly pairs: number;
  readonly subject: () => Promise<Sample> | Sample;
  readonly baseline: () => Promise<Sample> | Sample;
  readonly maxStealShare?: number;
}): Promise<Paired<Sample>> {
  const subject: Sample[] = [];
  const baseline: Sample[] = [];
  let repeated = 0;
  while (subject.length < options.pairs) {
    const before = readCpuTimes();
    const pair = [await options.subject(), await options.baseline()] as const;
    const share = stealShare(before, readCpuTimes());
    if (share > (options.maxStealShare ?? 0.05) && repeated < options.pairs) {
      repeated += 1;
    } else {
      subject.push(pair[0]);
      baseline.push(pair[1]);
    }
  }
  return { subject, baseline, repeated };
}

/** The row of a pair of samples. `value` is the median of the subject. */
export function pairedRow(name: string, unit: string, paired: Paired): BenchRow {
  return {
    ...plainRow(name, unit, paired.subject),
    baseline: percentile(paired.baseline, 50),
    ratio: percentile(ratiosOf(paired), 50),
  };
}

/** The ratio of subject to baseline for each pair. */
export function ratiosOf({ subject, baseline }: Paired): number[] {
  return subject.map((sample, index) => sample / (baseline[index] ?? Number.NaN));
}

/** The row of samples without a baseline. */
export function plainRow(name: string, unit: string, samples: readonly number[]): BenchRow {
  const p50 = percentile(samples, 50);
  return { name, unit, value: p50, p50, p99: percentile(samples, 99), baseline: null, ratio: null };
}

/** The smallest sample that `percent` of all samples do not exceed (nearest rank). NaN if there is none. */
export function percentile(samples: readonly number[], percent: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? Number.NaN;
}

/** Half the distance between the quartiles, as a share of the median: `±3 %`. */
export function spread(samples: readonly number[]): string {
  const half = (percentile(samples, 75) - percentile(samples, 25)) / 2 / percentile(samples, 50);
  return `±${(100 * half).toFixed(0)} %`;
}

export interface CpuTimes {
  /** In ticks since boot, over all processors. */
  readonly steal: number;
  readonly total: number;
}

/** The first line of /proc/stat: proc_stat(5). Guest time is part of user time, and is not counted twice. */
export function readCpuTimes(text: string = readFileSync("/proc/stat", "utf8")): CpuTimes {
  const ticks = (text.split("\n")[0] ?? "").split(/\s+/).slice(1, 9).map(Number);
  return { steal: ticks[7] ?? 0, total: ticks.reduce((sum, tick) => sum + tick, 0) };
}

/** The share of all CPU time between two readings that a hypervisor took away. */
export function stealShare(before: CpuTimes, after: CpuTimes): number {
  return after.total === before.total ? 0 : (after.steal - before.steal) / (after.total - before.total);
}

/** `met: local: p50 < 1 ms: 0.87`, for each aim of the rows. */
export function aimNotes(bench: string, rows: readonly BenchRow[]): string[] {
  return rows.flatMap((row) =>
    aimsOf(bench, row).map(({ text, figureOf, isMet }) => {
      const figure = figureOf(row);
      return `${isMet(figure) ? "met" : "missed"}: ${row.name}: ${text}: ${formatFigure(figure)}`;
    }),
  );
}

/** The file for the rows of a bench. Rows of a short run are no real figures and go to another folder. */
export function resultFile(name: string): URL {
  return new URL(isShort ? `../.cache/bench-short/${name}.json` : `results/${name}.json`, import.meta.url);
}

/** Prints the rows as a table and writes them into `resultFile`. Prints `notes` and the results of the aims below. */
export function report(name: string, rows: readonly BenchRow[], notes: readonly string[] = []): void {
  const lines = rows.map(({ name, unit, ...figures }) => [
    name,
    unit,
    ...[figures.value, figures.p50, figures.p99, figures.baseline, figures.ratio].map(formatFigure),
  ]);
  console.log(formatTable([["", "unit", "value", "p50", "p99", "baseline", "ratio"], ...lines]));
  for (const note of [...notes, ...(isShort ? [] : aimNotes(name, rows))]) console.log(note);
  const file = resultFile(name);
  mkdirSync(new URL(".", file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(rows, undefined, 2)}\n`);
}

/** Formats with three significant digits. */
function formatFigure(figure: number | null): string {
  if (figure === null) return "-";
  return Math.abs(figure) >= 1000 ? Math.round(figure).toString() : figure.toPrecision(3);
}

/** Columns of equal width: the first two aligned left, figures aligned right. */
function formatTable(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => {
          const width = widths[column] ?? 0;
          return column < 2 ? cell.padEnd(width) : cell.padStart(width);
        })
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
