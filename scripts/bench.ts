/** Runs the benches, one process each, so that none warms up or disturbs another. Usage: bench.ts all|<name> */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

const ALL = ["kernel", "throughput", "registry", "wire-setup", "scale", "footprint", "abuse", "sim"];
const wanted = process.argv[2] ?? "all";
const names = wanted === "all" ? ALL : [wanted];
for (const name of names) {
  const file = new URL(`../bench/${name}.ts`, import.meta.url);
  if (!ALL.includes(name) || !existsSync(file)) {
    console.error(`no bench is called ${name}; there are: ${ALL.join(", ")}`);
    process.exit(2);
  }
  const { status } = spawnSync(process.execPath, [file.pathname], { stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}
