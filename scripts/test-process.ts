/**
 * Loaded before each test file: ends processes that the file started and left behind, in whatever session they are by now,
 * lists them, and fails the file. They are recognised by a mark in their environment. A file that something keeps alive after its
 * last test ends a moment later: `--test-force-exit` would do that at once, and lose reports that are still on their way.
 */
import { AsyncResource } from "node:async_hooks";
import { randomUUID } from "node:crypto";
import { readdirSync, readFileSync, writeSync } from "node:fs";
import { after } from "node:test";
import { isMainThread } from "node:worker_threads";
import { SLOWNESS } from "../fixtures/async/slowness.ts";

/** Time for processes that were told to end, or that end by themselves when this process is gone. */
const PATIENCE_MS = 10_000 * SLOWNESS;
const POLL_MS = 20;
/** Time for the last hooks of a file. A file whose hooks hang fails. */
const HOOKS_MS = 60_000 * SLOWNESS;
/** Time for the reports of a file to reach the runner. */
const REPORT_MS = 1_000 * SLOWNESS;
const MARK = "TEST_PROCESS";

/** Only in a test file: not in the runner, nor in a thread of a test. */
if (process.env["NODE_TEST_CONTEXT"] !== undefined && isMainThread) {
  const mark = `${MARK}=${randomUUID()}`;
  process.env[MARK] = mark.slice(MARK.length + 1);
  // The inner hook runs after the hooks of the file. A file that nothing keeps alive ends by itself before.
  after(
    AsyncResource.bind(() => {
      endAfter(HOOKS_MS, 1);
      after(() => endAfter(REPORT_MS));
    }),
  );
  process.on("exit", () => {
    const left = markedAfterPatience(mark);
    for (const pid of left) {
      writeSync(2, `left running by ${process.argv[1]}: ${commandLine(pid)} (process ${pid})\n`);
      end(pid);
    }
    if (left.length > 0) process.exitCode = 1;
  });
}

function endAfter(ms: number, code?: number): void {
  setTimeout(() => process.exit(code), ms).unref();
}

function markedAfterPatience(mark: string): number[] {
  const cell = new Int32Array(new SharedArrayBuffer(4));
  for (let waitedMs = 0; ; waitedMs += POLL_MS) {
    const left = marked(mark);
    if (left.length === 0 || waitedMs >= PATIENCE_MS) return left;
    Atomics.wait(cell, 0, 0, POLL_MS);
  }
}

/** A process that has ended, or waits for its parent, has an empty environment. */
function marked(mark: string): number[] {
  return readdirSync("/proc")
    .map(Number)
    .filter((pid) => pid > 1 && pid !== process.pid)
    .filter((pid) => read(pid, "environ").split("\0").includes(mark));
}

function commandLine(pid: number): string {
  return read(pid, "cmdline").split("\0").join(" ").trim();
}

function read(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return "";
  }
}

function end(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has just ended by itself.
  }
}
