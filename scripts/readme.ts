/**
 * Puts the last results of `make bench` into the table of the README, between its two comments: `node scripts/readme.ts`.
 * Rows of a bench that was not run on this machine stay. docs/internals/benchmarks.md explains the rows.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { aimsOf } from "../bench/aims.ts";
import type { BenchRow } from "../bench/row.ts";

const BENCHES = [
  "kernel",
  "throughput",
  "wire-setup",
  "scale",
  "restart",
  "release",
  "registry",
  "abuse",
  "footprint",
  "sim",
];

/** Scales bits to giga and packets to kilo. */
function scaled({ unit, ...row }: BenchRow): BenchRow {
  const [factor, name] = unit.startsWith("bit/")
    ? [1e9, `G${unit}`]
    : unit.startsWith("packet/")
      ? [1e3, `k${unit}`]
      : [1, unit];
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
  const aims = aimsOf(bench, raw);
  const missed = aims.find(({ figureOf, isMet }) => !isMet(figureOf(raw)));
  const verdict = aims.length === 0 ? "" : missed ? `missed: ${missed.reason ?? ""}` : "met";
  const cells = [
    bench,
    row.name,
    figure(row.p50, row.unit),
    figure(row.p99 === row.p50 ? null : row.p99),
    figure(row.baseline),
    figure(row.ratio),
  ];
  return `| ${[...cells, aims.map(({ text }) => text).join(", "), verdict].join(" | ")} |`;
}

const readme = new URL("../README.md", import.meta.url);
const before = readFileSync(readme, "utf8");
const lines = BENCHES.flatMap((bench) => {
  const file = new URL(`../bench/results/${bench}.json`, import.meta.url);
  if (!existsSync(file)) return before.split("\n").filter((each) => each.startsWith(`| ${bench} |`));
  return (JSON.parse(readFileSync(file, "utf8")) as BenchRow[]).map((row) => line(bench, row));
});
const head = ["bench", "row", "p50", "p99", "baseline", "ratio", "aim", ""];
const table = [`| ${head.join(" | ")} |`, `|${"---|".repeat(head.length)}`, ...lines].join("\n");
const marked = /(<!-- bench -->\n)[^]*?(\n<!-- \/bench -->)/;
if (!marked.test(before)) throw new Error("the README has no <!-- bench --> … <!-- /bench -->");
writeFileSync(
  readme,
  before.replace(marked, (_all, begin: string, end: string) => begin + table + end),
);
