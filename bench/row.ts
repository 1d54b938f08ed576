/** One line of bench/results/<name>.json. */
export interface BenchRow {
  readonly name: string;
  readonly unit: string;
  /** The main figure, in `unit`: the median unless the bench says otherwise. */
  readonly value: number;
  readonly p50: number;
  readonly p99: number;
  /** Median of the baseline of the same run, in `unit`. `null` if there is none. */
  readonly baseline: number | null;
  /** Median of the ratios of each pair, subject to baseline. */
  readonly ratio: number | null;
}
