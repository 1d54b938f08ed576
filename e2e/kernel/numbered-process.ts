/** Processes in network namespaces of their own, with the number that a test wants. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, readlinkSync } from "node:fs";
import { setImmediate as turn } from "node:timers/promises";

/** A process that runs until a test ends it. */
export interface NumberedProcess {
  readonly pid: number;
  /** Resolves when its number is free again. */
  readonly end: () => Promise<void>;
}

/**
 * Sets the last number that was given, and forks at once: whatever starts meanwhile would take the number.
 * Another attempt follows when something was quicker. Its first argument is the number.
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

/** Likewise, as the process number `pid`. */
export async function startProcessAs(pid: number): Promise<NumberedProcess> {
  const shell = spawn("sh", ["-c", FORK_AS, "sh", String(pid)], { stdio: "ignore" });
  await until(shell, () => isElsewhere(pid) && parentOf(pid) === shell.pid);
  return { pid, end: () => end(shell, pid) };
}

/** A number from `least` on that no process and no thread has. */
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

/** Whether it is in a network namespace of its own by now. */
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
