/**
 * Runs the benches, one process each, so that none warms up or disturbs another. Usage: bench.ts all|<name> [--short]
 *
 * With `--short` each bench does just enough for every row to appear; it fails if a row with an aim is missing or has no
 * figure.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { rowsWithAims } from "../bench/aims.ts";
import { resultFile } from "../bench/report.ts";
import { type BenchRow } from "../bench/row.ts";
import { isShort } from "../bench/sized.ts";

const ALL = [
  "kernel",
  "throughput",
  "registry",
  "wire-setup",
  "scale",
  "restart",
  "footprint",
  "abuse",
  "sim",
  "release",
];
const wanted = process.argv[2] ?? "all";
if (process.argv[3] === "--short" && !isShort) {
  const env = { ...process.env, BENCH_SHORT: "1" };
  process.exit(spawnSync(process.execPath, process.argv.slice(1), { stdio: "inherit", env }).status ?? 1);
}
const names = wanted === "all" ? ALL : [wanted];
for (const name of names) {
  const file = new URL(`../bench/${name}.ts`, import.meta.url);
  if (!ALL.includes(name) || !existsSync(file)) {
    console.error(`no bench is called ${name}; there are: ${ALL.join(", ")}`);
    process.exit(2);
  }
  const { status } = spawnSync(process.execPath, [file.pathname], { stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
  if (isShort) checkRows(name);
}

function checkRows(name: string): void {
  const rows = JSON.parse(readFileSync(resultFile(name), "utf8")) as BenchRow[];
  const wrong = [
    ...rowsWithAims(name).filter((aimed) => !rows.some((row) => row.name === aimed)),
    ...rows.filter(({ value }) => !Number.isFinite(value)).map((row) => row.name),
  ];
  if (rows.length > 0 && wrong.length === 0) return;
  console.error(`bench ${name}: rows without a figure: ${wrong.join(", ") || "all"}`);
  process.exit(1);
}
