/** The resolvers of workloads keep their contract on this machine: namespaces of the test's own, processes in them. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readlinkSync, writeFileSync } from "node:fs";
import { test, type TestContext } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { rootScope } from "../src/async/task-scope.ts";
import { needsRoot, netnsFixture } from "../src/linux/netns-fixture.ts";
import { linuxProcesses } from "../src/linux/processes.ts";
import { labPlacePath } from "../src/resolvers/lab/places.ts";
import { nodeClock } from "../src/transport/node-clock.ts";
import { type ResolverHarness, resolverContract, type Specimen } from "./resolver-contract.ts";

/** Threads and other tests take numbers, too: one may be quicker. */
const ATTEMPTS = 200;

for (const each of resolverContract)
  test(each.title, { skip: needsRoot }, async (t) => {
    const ends: (() => Promise<void>)[] = [];
    const harness = await linuxHarness(t, ends);
    try {
      await each.run(harness);
    } finally {
      for (const end of ends) await end();
    }
  });

/** `ends` are called when the case is over. */
async function linuxHarness(t: TestContext, ends: (() => Promise<void>)[]): Promise<ResolverHarness> {
  const { machine, ...net } = await netnsFixture(t);
  const clock = nodeClock();
  const scope = rootScope("test", clock);
  ends.push(() => scope.end());
  let count = 0;
  const namespace = (path: string, ref: Specimen["ref"]): Specimen => {
    ends.push(() => machine.removeNetns(path));
    return {
      ref,
      come: async () => {
        await machine.createNetns(path);
        return `file://${path}`;
      },
      go: () => machine.removeNetns(path),
    };
  };
  return {
    world: { clock, scope },
    outside: { kernel: await net.kernel(), processes: linuxProcesses() },
    held: pidfds,
    specimens: {
      netns: () => {
        const path = `/run/netns/nlt${process.pid}-named${count++}`;
        return Promise.resolve(namespace(path, { netns: path }));
      },
      lab: () => {
        const place = `t${process.pid}/alpha/w${count++}`;
        return Promise.resolve(namespace(labPlacePath(place), { lab: place }));
      },
      pid: () => numbered(ends),
    },
  };
}

/** The number of a process that is none any more, for others to take it. */
async function numbered(ends: (() => Promise<void>)[]): Promise<Specimen> {
  const first = await start();
  const { pid } = first;
  await end(first);
  let running: ChildProcess | undefined;
  const go = async (): Promise<void> => {
    if (running) await end(running);
    running = undefined;
  };
  ends.push(go);
  return {
    ref: { pid },
    come: async () => {
      running = await startAs(pid);
      return `file:///proc/${pid}/ns/net`;
    },
    go,
    isOnce: true,
  };
}

/** A process in a network namespace of its own. */
async function start(): Promise<ChildProcess & { readonly pid: number }> {
  const child = spawn("unshare", ["--net", "sleep", "600"], { stdio: "ignore" });
  await once(child, "spawn");
  const { pid } = child;
  assert.ok(pid !== undefined);
  while (
    existsSync(`/proc/${pid}`) &&
    readlinkSync(`/proc/${pid}/ns/net`) === readlinkSync("/proc/self/ns/net")
  )
    await turn();
  return Object.assign(child, { pid });
}

async function startAs(pid: number): Promise<ChildProcess> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    writeFileSync("/proc/sys/kernel/ns_last_pid", String(pid - 1));
    const child = await start();
    if (child.pid === pid) return child;
    await end(child);
  }
  return assert.fail(`the number ${pid} was not given again`);
}

async function end(child: ChildProcess): Promise<void> {
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}

/** Descriptors of processes that this one has. */
function pidfds(): number {
  return readdirSync("/proc/self/fd").filter((fd) => {
    try {
      return /pidfd/.test(readlinkSync(`/proc/self/fd/${fd}`));
    } catch {
      return false;
    }
  }).length;
}
