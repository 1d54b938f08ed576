/** Processes in network namespaces of their own, with the number that a test wants. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readlinkSync, writeFileSync } from "node:fs";
import { setImmediate as turn } from "node:timers/promises";

/** Threads and other tests take numbers, too: one may be quicker. */
const ATTEMPTS = 200;

export async function startProcess(): Promise<ChildProcess & { readonly pid: number }> {
  const child = spawn("unshare", ["--net", "sleep", "600"], { stdio: "ignore" });
  await once(child, "spawn");
  const { pid } = child;
  assert.ok(pid !== undefined);
  while (readlinkSync(`/proc/${pid}/ns/net`) === readlinkSync("/proc/self/ns/net")) await turn();
  return Object.assign(child, { pid });
}

/** Likewise, as the process number `pid`. */
export async function startProcessAs(pid: number): Promise<ChildProcess> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    writeFileSync("/proc/sys/kernel/ns_last_pid", String(pid - 1));
    const child = await startProcess();
    if (child.pid === pid) return child;
    await endProcess(child);
  }
  return assert.fail(`the number ${pid} was not given again`);
}

export async function endProcess(child: ChildProcess): Promise<void> {
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}
