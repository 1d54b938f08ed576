/**
 * Run as the first process of a pid namespace: names a process as a workload, has another one in another network
 * namespace get its number, and prints what the agent has seen of the workload, one JSON text.
 *
 * `ended`: the number is used again while the workload is up; `holding`: as soon as the process is held; `looking`: just
 * before its namespace is looked at.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { openSync, readlinkSync, writeFileSync } from "node:fs";
import { setImmediate as turn } from "node:timers/promises";
import type { Kernel } from "../src/kernel/kernel.ts";
import { HostGuard } from "../src/agent/host-guard.ts";
import { Workloads } from "../src/agent/workloads.ts";
import { openAgentWorld } from "../src/cli/daemon/agent-world.ts";
import type { Processes } from "../src/kernel/processes.ts";

/** Threads have numbers, too: one may be quicker. */
const ATTEMPTS = 100;

/** Time to look again, and to take the process that has the number by then for the workload. */
const LOOKS_MS = 300;

const [moment = "", folder = ""] = process.argv.slice(2);
assert.equal(process.pid, 1, "not in a pid namespace of its own");

/** A process in a network namespace of its own. */
async function start(): Promise<ChildProcess & { pid: number }> {
  const child = spawn("unshare", ["--net", "sleep", "600"], { stdio: "ignore" });
  await once(child, "spawn");
  const { pid } = child;
  assert.ok(pid !== undefined);
  while (readlinkSync(`/proc/${pid}/ns/net`) === readlinkSync("/proc/self/ns/net")) await turn();
  return Object.assign(child, { pid });
}

async function end(child: ChildProcess): Promise<void> {
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}

async function startAs(pid: number): Promise<ChildProcess> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    writeFileSync("/proc/sys/kernel/ns_last_pid", String(pid - 1));
    const child = await start();
    if (child.pid === pid) return child;
    await end(child);
  }
  throw new Error(`the number ${pid} was not given again`);
}

const netnsOf = (pid: number): string => `inode://${/\d+/.exec(readlinkSync(`/proc/${pid}/ns/net`))?.[0]}`;
const inodeOf = (identity: string): string => `inode://${identity.split("/").at(-1)}`;

const agent = await openAgentWorld({
  host: "reused",
  stateFolder: `${folder}/state`,
  bpffs: `${folder}/bpf`,
});
const { world, processes } = agent;
let child: ChildProcess = await start();
const { pid } = child as { pid: number };
// Held, so that no later namespace gets its inode number: the kernel gives the number of one that is gone again.
openSync(`/proc/${pid}/ns/net`, "r");
const first = netnsOf(pid);
let isReplaced = false;
const replace = async (): Promise<void> => {
  if (isReplaced) return;
  isReplaced = true;
  await end(child);
  child = await startAs(pid);
};
const held: Processes = {
  hold: async (number) => {
    const process = await processes.hold(number);
    if (moment === "holding") await replace();
    return process;
  },
};
const kernel: Pick<Kernel, "resolve" | "watch"> = {
  watch: (purpose) => world.kernel.watch(purpose),
  resolve: async (netns) => {
    if (moment === "looking") await replace();
    return await world.kernel.resolve(netns);
  },
};
const workload = new Workloads({
  world,
  kernel: kernel as Kernel,
  processes: held,
  hostGuard: new HostGuard(world.kernel, { registryUrl: "tcp://127.0.0.1:5002" }),
}).use({ pid });
const seen: unknown[] = [];
const look = async (): Promise<void> => {
  const presence = await workload.changed(workload.presence, world.scope);
  seen.push(presence.isThere ? inodeOf(presence.found.identity.netns) === first : presence.reason);
};
await look();
if (moment === "ended") {
  await replace();
  await look();
}
const second = netnsOf(pid);
await world.clock.sleep(LOOKS_MS);
const { isThere } = workload.presence;
workload.release();
await end(child);
await agent.close();
process.stdout.write(JSON.stringify({ isReused: first !== second, seen, isThere, pid }));
