/** The resolvers of workloads keep their contract on this machine: namespaces of the test's own, processes in them. */
import type { ChildProcess } from "node:child_process";
import { readdirSync, readlinkSync } from "node:fs";
import { test, type TestContext } from "node:test";
import { rootScope } from "../../src/async/task-scope.ts";
import { needsRoot, netnsFixture } from "../../fixtures/linux/netns.ts";
import { OWN } from "../../src/linux/machine/open-need.ts";
import { linuxProcesses } from "../../src/linux/processes/processes.ts";
import { labPlacePath } from "../../src/resolvers/lab/places.ts";
import { nodeClock } from "../../src/transport/node-clock.ts";
import { endProcess, startProcess, startProcessAs } from "../kernel/numbered-process.ts";
import { type ResolverHarness, resolverContract, type Specimen } from "./resolver-contract.ts";

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
    outside: { kernel: await net.kernel(), processes: linuxProcesses(OWN) },
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
  const first = await startProcess();
  const { pid } = first;
  await endProcess(first);
  let running: ChildProcess | undefined;
  const go = async (): Promise<void> => {
    if (running) await endProcess(running);
    running = undefined;
  };
  ends.push(go);
  return {
    ref: { pid },
    come: async () => {
      running = await startProcessAs(pid);
      return `file:///proc/${pid}/ns/net`;
    },
    go,
    isOnce: true,
  };
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
