/** Processes in new network namespaces, with a process ID chosen by the test. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, readlinkSync } from "node:fs";
import { setImmediate as turn } from "node:timers/promises";

/** A process that runs until a test ends it. */
export interface NumberedProcess {
  readonly pid: number;
  /** Resolves when the process ID is free again. */
  readonly end: () => Promise<void>;
}

/**
 * Sets the last assigned process ID, and forks at once, before another process takes the next ID. Retries if one did. The
 * first argument is the wanted ID.
 */
const FORK_AS = `
for attempt in $(seq 200); do
  echo $(($1 - 1)) > /proc/sys/kernel/ns_last_pid
  unshare --net sleep 600 &
  [ $! = "$1" ] && { wait; exit 0; }
  kill -9 $!
  wait $!
done
exit 1`;

export async function startProcess(): Promise<NumberedProcess> {
  const child = spawn("unshare", ["--net", "sleep", "600"], { stdio: "ignore" });
  await once(child, "spawn");
  const { pid } = child;
  assert.ok(pid !== undefined);
  await until(child, () => isElsewhere(pid));
  return { pid, end: () => end(child, pid) };
}

/** Starts such a process with the ID `pid`. */
export async function startProcessAs(pid: number): Promise<NumberedProcess> {
  const shell = spawn("sh", ["-c", FORK_AS, "sh", String(pid)], { stdio: "ignore" });
  await until(shell, () => isElsewhere(pid) && parentOf(pid) === shell.pid);
  return { pid, end: () => end(shell, pid) };
}

/** An ID from `least` on that no process and no thread has. */
export function freeNumber(least: number): number {
  let pid = least;
  while (existsSync(`/proc/${pid}`)) pid++;
  return pid;
}

async function until(child: ChildProcess, isSo: () => boolean): Promise<void> {
  while (!isSo()) {
    assert.equal(child.exitCode, null, "the number was not given again");
    await turn();
  }
}

/** Returns whether the process is in its own network namespace by now. */
function isElsewhere(pid: number): boolean {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`) !== readlinkSync("/proc/self/ns/net");
  } catch {
    return false;
  }
}

function parentOf(pid: number): number {
  return Number(/\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, "latin1"))?.[1]);
}

async function end(child: ChildProcess, pid: number): Promise<void> {
  const ended = once(child, "exit");
  process.kill(pid, "SIGKILL");
  await ended;
}
