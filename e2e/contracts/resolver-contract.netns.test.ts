/**
 * The resolvers of workloads pass their contract on this machine, with namespaces of the test and processes in them.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readlinkSync } from "node:fs";
import { test, type TestContext } from "node:test";
import { rootScope } from "../../src/async/task-scope.ts";
import { needsRoot, netnsFixture } from "../../fixtures/linux/netns.ts";
import { OWN } from "../../src/linux/machine/open-need.ts";
import { linuxProcesses } from "../../src/linux/processes/processes.ts";
import { labPlacePath } from "../../src/resolvers/lab/places.ts";
import { nodeClock } from "../../src/transport/node-clock.ts";
import { freeNumber, type NumberedProcess, startProcessAs } from "../kernel/numbered-process.ts";
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

/** A harness on this machine. `ends` are called when the case is over. */
async function linuxHarness(t: TestContext, ends: (() => Promise<void>)[]): Promise<ResolverHarness> {
  const { machine, ...net } = await netnsFixture(t);
  const clock = nodeClock();
  const scope = rootScope("test", clock);
  ends.push(() => scope.end());
  let count = 0;
  const host = await net.netns();
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
    outside: { kernel: await net.kernel({ host }), processes: linuxProcesses(OWN) },
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
      port: async () => portIn(net.nameOf(host), net.nameOf(await net.netns()), `eth${count++}`),
      pid: () => numbered(ends),
    },
  };
}

/** One end of a cable that the test makes without Netloom's mark. */
function portIn(host: string, far: string, name: string): Specimen {
  const ip = async (...args: readonly string[]): Promise<void> => {
    const child = spawn("ip", ["-n", host, ...args], { stdio: ["ignore", "inherit", "inherit"] });
    const [code] = (await once(child, "exit")) as [number | null];
    assert.equal(code, 0, args.join(" "));
  };
  return {
    ref: { port: name },
    come: async () => {
      await ip("link", "add", "far", "type", "veth", "peer", "name", "near");
      await ip("link", "set", "far", "netns", far, "name", name, "up");
      // At once: the name, and the state up.
      await ip("link", "set", "near", "name", name, "up");
      return `file:///run/netns/${host}`;
    },
    go: () => ip("link", "delete", name),
    tend: async ({ isUp, mtuBytes, master }) => {
      if (isUp !== undefined) await ip("link", "set", name, isUp ? "up" : "down");
      if (mtuBytes !== undefined) await ip("link", "set", name, "mtu", String(mtuBytes));
      if (master === undefined) return;
      await ip("link", "add", master, "type", "bridge");
      await ip("link", "set", name, "master", master);
    },
  };
}

/** A process ID that is free until a process of the case takes it. */
async function numbered(ends: (() => Promise<void>)[]): Promise<Specimen> {
  // Far from the IDs that the kernel assigns next.
  const pid = freeNumber(20_000 + (process.pid % 10_000));
  let running: NumberedProcess | undefined;
  const go = async (): Promise<void> => {
    await running?.end();
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

/** Number of pidfds that this process has. */
function pidfds(): number {
  return readdirSync("/proc/self/fd").filter((fd) => {
    try {
      return /pidfd/.test(readlinkSync(`/proc/self/fd/${fd}`));
    } catch {
      return false;
    }
  }).length;
}
