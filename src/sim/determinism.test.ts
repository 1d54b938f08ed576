/**
 * R11: one seed gives one run, also in another process, with another hash seed, under load and with frequent garbage
 * collection.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";

const SCRIPT = new URL("../../scripts/sim.ts", import.meta.url).pathname;

interface Run {
  /** One line for each seed: the seed and its trace hash. */
  readonly hashes: readonly string[];
  readonly collections: number;
}

async function run(nodeFlags: readonly string[]): Promise<Run> {
  const args = [...nodeFlags, "--trace-gc", SCRIPT, "--seeds", "20", "--hashes"];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  const lines = stdout.trim().split("\n");
  const hashes = lines.filter((line) => /^\d+ [\da-f]{16}$/.test(line));
  return { hashes, collections: lines.length - hashes.length };
}

test("20 seeds have the same trace hashes in two processes, one of them under load", async () => {
  const calm = await run(["--hash-seed=1"]);
  const load = Array.from({ length: 2 }, () => new Worker("for (;;);", { eval: true }));
  try {
    // A tiny nursery so that objects move all the time, scavenges before it is full, and no optimised code.
    const flags = ["--hash-seed=42", "--max-semi-space-size=1", "--stress-scavenge=50", "--no-opt"];
    const stressed = await run(flags);
    assert.deepEqual(stressed.hashes, calm.hashes);
    assert.ok(stressed.collections > 3 * calm.collections, `${stressed.collections} and ${calm.collections}`);
  } finally {
    await Promise.all(load.map((worker) => worker.terminate()));
  }
  assert.equal(new Set(calm.hashes).size, 20, "every seed is another run");
});
