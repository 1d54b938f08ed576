import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { needsRoot } from "../fixtures/linux/netns.ts";

const program = fileURLToPath(new URL("./reused-pid.ts", import.meta.url));

/** The agent's reports about a process whose ID is reused, in a pid namespace of their own. */
async function reuse(
  t: TestContext,
  moment: "ended" | "holding" | "looking",
): Promise<{ isReused: boolean; pid: number; seen: unknown[]; isThere: boolean }> {
  const folder = mkdtempSync(join(tmpdir(), "netloom-pid-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const { stdout } = await promisify(execFile)(
    "unshare",
    ["--pid", "--fork", "--kill-child", "--mount-proc", process.execPath, program, moment, folder],
    { timeout: 120_000, killSignal: "SIGKILL" },
  );
  return JSON.parse(stdout) as Awaited<ReturnType<typeof reuse>>;
}

test(
  "another process with the ID of a workload that has ended is not that workload",
  {
    skip: needsRoot,
  },
  async (t) => {
    const { pid, ...found } = await reuse(t, "ended");
    assert.deepEqual(found, { isReused: true, seen: [true, `process ${pid} has ended`], isThere: false });
  },
);

for (const moment of ["holding", "looking"] as const) {
  test(
    `an ID that is reused while ${moment} never leads to the new process`,
    {
      skip: needsRoot,
    },
    async (t) => {
      const { pid, ...found } = await reuse(t, moment);
      assert.deepEqual(found, { isReused: true, seen: [`process ${pid} has ended`], isThere: false });
    },
  );
}
