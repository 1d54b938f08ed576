/**
 * Puts what `make bench` has written last into the table of the README, between its two comments: `node scripts/readme.ts`.
 * Aims, and why one is missed, are here; docs/benchmarks.md says what the rows are.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import type { BenchRow } from "../bench/report.ts";

const BENCHES = ["kernel", "throughput", "wire-setup", "scale", "registry", "footprint", "sim"];

interface Aim {
  readonly text: string;
  isMet(row: BenchRow): boolean;
  /** Said where it is missed. */
  readonly reason?: string;
}

const ratioOf = (least: number, reason: string): Aim => ({
  text: `ratio ≥ ${least}`,
  isMet: ({ ratio }) => (ratio ?? 0) >= least,
  reason,
});
const atMost = (most: number, unit: string, reason?: string): Aim => ({
  text: `≤ ${most} ${unit}`,
  isMet: ({ value }) => value <= most,
  ...(reason && { reason }),
});
const atLeast = (least: number, unit: string): Aim => ({
  text: `≥ ${least} ${unit}`,
  isMet: ({ value }) => value >= least,
});

const MORE_DEVICES =
  "one more device and two programs on each host; the guarded tunnel is out of the workload's reach";
const CHAINS =
  "the kernel looks the target of a redirect up in 256 chains, which grow with the devices of the host";
const UDP = "wake-ups of the receiver decide more than the path; the quartiles are wide";
const HOPS =
  "the kernel's part, and some gRPC calls between threads and processes of about half a millisecond each";

const AIMS: Readonly<Record<string, Aim>> = {
  "kernel local": {
    text: "< 1 ms, ratio ≤ 0.1",
    isMet: ({ value, ratio }) => value < 1 && (ratio ?? 1) <= 0.1,
    reason: "two thirds of it are the kernel's own, the rest two thread hops and planning",
  },
  "kernel close": {
    text: "p99 < 5 ms",
    isMet: ({ p99 }) => p99 < 5,
    reason:
      "30 are asked for at once, and each takes 0.09 ms of one thread; a pause of the collector does the rest",
  },
  "throughput local-tcp": ratioOf(0.95, UDP),
  "throughput local-udp64": ratioOf(0.93, UDP),
  "throughput remote-tcp": ratioOf(0.95, MORE_DEVICES),
  "throughput remote-udp64": ratioOf(0.8, UDP),
  "throughput local-tcp-1000": ratioOf(0.95, UDP),
  "throughput local-udp64-1000": ratioOf(0.93, UDP),
  "throughput remote-tcp-1000": ratioOf(0.95, CHAINS),
  "throughput remote-udp64-1000": ratioOf(0.8, CHAINS),
  "wire-setup local": atMost(3, "ms", HOPS),
  "wire-setup remote": atMost(6, "ms", HOPS),
  "scale up": atLeast(300, "/s"),
  "scale down": atLeast(300, "/s"),
  "scale leftovers": atMost(0, ""),
  "registry find": {
    text: "p99 ≤ 2 ms",
    isMet: ({ p99 }) => p99 <= 2,
    reason: "100 messages a find are 2.5 ms of two busy processors; collections of 10 ms meet one find in 50",
  },
  "footprint memory": atMost(130, "MB"),
  "footprint cpu": atMost(0.5, "%"),
  "footprint status": atMost(250, "ms"),
};

/** Figures of billions are told in giga. */
function scaled({ unit, ...row }: BenchRow): BenchRow {
  const [factor, name] =
    unit === "bit/s" ? [1e9, "Gbit/s"] : unit === "packet/s" ? [1e3, "kpacket/s"] : [1, unit];
  const by = (figure: number | null): number | null => (figure === null ? null : figure / factor);
  return {
    ...row,
    unit: name,
    value: row.value / factor,
    p50: row.p50 / factor,
    p99: row.p99 / factor,
    baseline: by(row.baseline),
  };
}

function figure(value: number | null, unit = ""): string {
  if (value === null || Number.isNaN(value)) return "";
  const text =
    Math.abs(value) >= 1000 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(3)));
  return unit ? `${text} ${unit}` : text;
}

function line(bench: string, raw: BenchRow): string {
  const row = scaled(raw);
  const aim = AIMS[`${bench} ${row.name}`];
  const isMet = aim?.isMet(raw);
  const verdict = aim === undefined ? "" : isMet ? "met" : `missed: ${aim.reason ?? ""}`;
  const cells = [
    bench,
    row.name,
    figure(row.p50, row.unit),
    figure(row.p99),
    figure(row.baseline),
    figure(row.ratio),
  ];
  return `| ${[...cells, aim?.text ?? "", verdict].join(" | ")} |`;
}

const lines = BENCHES.flatMap((bench) => {
  const file = new URL(`../bench/results/${bench}.json`, import.meta.url);
  if (!existsSync(file)) return [];
  return (JSON.parse(readFileSync(file, "utf8")) as BenchRow[]).map((row) => line(bench, row));
});
const head = ["bench", "row", "p50", "p99", "baseline", "ratio", "aim", ""];
const table = [`| ${head.join(" | ")} |`, `|${"---|".repeat(head.length)}`, ...lines].join("\n");
const readme = new URL("../README.md", import.meta.url);
const before = readFileSync(readme, "utf8");
const marked = /(<!-- bench -->\n)[^]*?(\n<!-- \/bench -->)/;
if (!marked.test(before)) throw new Error("the README has no <!-- bench --> … <!-- /bench -->");
writeFileSync(
  readme,
  before.replace(marked, (_all, begin: string, end: string) => begin + table + end),
);
