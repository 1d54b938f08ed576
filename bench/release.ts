/**
 * The kernel cost of a remote wire, compared with the last release in the same run: the versions take turns, each in a
 * process of its own. The bench sets the release up itself, which takes as long as the download of its libraries.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Cost } from "./release-process.ts";
import { type Paired, pairedRow, report, spread } from "./report.ts";
import { sized } from "./sized.ts";

const PAIRS = sized(7, 1);
const WIRES = sized(300, 20);

const RELEASE = process.env["NETLOOM_RELEASE"];
const pathOf = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

if (RELEASE === undefined) {
  const own = [pathOf("../scripts/with-release.sh"), process.execPath, pathOf("release.ts")];
  process.exit(spawnSync(own[0] ?? "", own.slice(1), { stdio: "inherit" }).status ?? 1);
}

function costOf(folder: string): Cost {
  const args = [pathOf("release-process.ts"), folder, String(WIRES)];
  const text = execFileSync(process.execPath, args, {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  return JSON.parse(text.trim().split("\n").at(-1) ?? "") as Cost;
}

const costs: (readonly [own: Cost, release: Cost])[] = [];
for (let n = 0; n < PAIRS; n++) costs.push([costOf(pathOf("..")), costOf(RELEASE)]);
const paired = (figure: (cost: Cost) => number): Paired => ({
  subject: costs.map(([own]) => figure(own)),
  baseline: costs.map(([, release]) => figure(release)),
  repeated: 0,
});
const kernel = paired(({ makeMs, closeMs }) => makeMs + closeMs);
report(
  "release",
  [
    pairedRow("kernel-cpu", "ms", kernel),
    pairedRow(
      "kernel-cpu-make",
      "ms",
      paired(({ makeMs }) => makeMs),
    ),
    pairedRow(
      "kernel-cpu-close",
      "ms",
      paired(({ closeMs }) => closeMs),
    ),
    pairedRow(
      "kernel-memory",
      "kB",
      paired(({ memoryBytes }) => memoryBytes / 1_000),
    ),
  ],
  [
    `${PAIRS} pairs of ${WIRES} wires, spread ${spread(kernel.subject)}, of the release ${spread(kernel.baseline)}`,
  ],
);
