/**
 * Run as the first process of a pid namespace: names a process as a workload, lets another process in another network
 * namespace get its ID, and prints what the agent has reported of the workload, as one JSON text.
 *
 * `ended`: the ID is reused while the workload is up; `holding`: as soon as the process is held; `looking`: just before
 * its namespace is read.
 */
import assert from "node:assert/strict";
import { openSync, readlinkSync } from "node:fs";
import type { Kernel } from "../src/kernel/kernel.ts";
import { HostGuard } from "../src/agent/host-guard.ts";
import { Workloads } from "../src/attachments/workloads.ts";
import { openAgentWorld } from "../src/cli/daemon/agent-world.ts";
import type { Processes } from "../src/kernel/processes.ts";
import { startProcess, startProcessAs } from "./kernel/numbered-process.ts";
import { labIdentity } from "../src/identity/lab-identity.ts";

/** Time for the agent to look again and to mistake the new process for the workload. */
const LOOKS_MS = 300;

const [moment = "", folder = ""] = process.argv.slice(2);
assert.equal(process.pid, 1, "not in a pid namespace of its own");

const netnsOf = (pid: number): string => `inode://${/\d+/.exec(readlinkSync(`/proc/${pid}/ns/net`))?.[0]}`;
const inodeOf = (identity: string): string => `inode://${identity.split("/").at(-1)}`;

const agent = await openAgentWorld({
  host: "reused",
  stateFolder: `${folder}/state`,
  bpffs: `${folder}/bpf`,
  identity: labIdentity,
});
const { world, processes } = agent;
let child = await startProcess();
const { pid } = child;
// Held open, so that no later namespace gets its inode number: the kernel reuses the number of one that is gone.
openSync(`/proc/${pid}/ns/net`, "r");
const first = netnsOf(pid);
let isReplaced = false;
const replace = async (): Promise<void> => {
  if (isReplaced) return;
  isReplaced = true;
  await child.end();
  child = await startProcessAs(pid);
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
  hostGuard: new HostGuard(world.kernel, {
    hops: { addressesOf: async () => [] },
    registries: ["tcp://127.0.0.1:5002"],
  }),
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
await child.end();
await agent.close();
process.stdout.write(JSON.stringify({ isReused: first !== second, seen, isThere, pid }));
