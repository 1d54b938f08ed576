/** Death of workers and namespaces, and large numbers of devices and notifications. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readlinkSync } from "node:fs";
import { test } from "node:test";
import type { KernelObject, Netns } from "../../kernel/kernel.ts";
import { add, next, rejection, remove, veth } from "../../../fixtures/linux/machine.ts";
import type { OpenKernel } from "../../kernel/privileged.ts";
import { needsRoot, netnsFixture, strayThreads } from "../../../fixtures/linux/netns.ts";

const ROOT = { skip: needsRoot };

/** The descriptors of this process that are sockets or refer to a namespace. */
function openDescriptors(): number {
  return readdirSync("/proc/self/fd").filter((fd) => {
    try {
      return /^(net:|socket:)/.test(readlinkSync(`/proc/self/fd/${fd}`));
    } catch {
      return false;
    }
  }).length;
}

test(
  "a batch is rejected when its worker dies, no namespace is kept alive, and another worker continues",
  ROOT,
  async (t) => {
    const net = await netnsFixture(t);
    const [a, b] = [await net.netns(), await net.netns()];
    const kernel = await net.kernel();
    const pair = veth(a, b);
    const batch = add(pair, { kind: "up", netns: a, link: "nl-1a" });
    const watch = kernel.watch();
    const crash = kernel.apply(batch, { failpoint: { operation: 0, when: "after", how: "crash" } });
    const waiting = kernel.resolve(a);
    const error = await rejection(crash);
    assert.equal(error.code, "ABORTED");
    assert.match(error.message, /kernel worker died during apply: what it had done is still in the kernel/);
    await waiting.catch(() => undefined);
    await next(watch, "resync");
    assert.deepEqual(await kernel.observe([{ netns: a }, { netns: b }]), [pair]);
    await kernel.apply(remove(pair));
    // No descriptor of the dead worker keeps the namespace alive: its end is reported.
    await net.machine.removeNetns(b.slice("file://".length));
    await next(watch, "netns-removed");
    watch.close();
  },
);

test("a worker may die during deletions", ROOT, async (t) => {
  const net = await netnsFixture(t);
  const kernel = await net.kernel();
  const pair = veth("host", "host", 99);
  for (let round = 0; round < 4; round++) {
    const workloads: Netns[] = [];
    for (let n = 0; n < 8; n++) workloads.push(await net.netns());
    const pairs = workloads.map((netns, n) => veth(netns, netns, n));
    await kernel.apply(add(...pairs));
    await kernel.apply(remove(...pairs));
    const settled = rejection(kernel.settle());
    await rejection(kernel.apply(add(pair), { failpoint: { operation: 0, when: "before", how: "crash" } }));
    assert.equal((await settled).code, "ABORTED");
    assert.deepEqual(await kernel.observe(workloads.map((netns) => ({ netns }))), []);
    await kernel.settle();
  }
});

for (const [title, end] of [
  ["exits", "process.exit(3)"],
  ["fails", "queueMicrotask(() => { throw new Error('expected'); })"],
] as const) {
  test(`a process that ${title} while its worker is busy ends`, ROOT, async (t) => {
    const net = await netnsFixture(t);
    const code = `
      import { LinuxMachine } from ${JSON.stringify(new URL("./machine.ts", import.meta.url).href)};
      const machine = await LinuxMachine.open();
      const kernel = await machine.kernel(${JSON.stringify({ host: await net.netns(), bpffs: net.bpffs })});
      await kernel.observe([{ netns: "host" }]);
      for (let n = 0; n < 1000; n++) void kernel.observe([{ netns: "host" }]).catch(() => undefined);
      setTimeout(() => { ${end} });`;
    const child = spawn(process.execPath, ["--input-type=module", "--eval", code], { stdio: "ignore" });
    t.after(() => child.kill("SIGKILL"));
    const [status] = (await once(child, "exit")) as [number | null];
    assert.equal(status, title === "exits" ? 3 : 1);
  });
}

test("the end of a hundred namespaces is reported, and none is kept alive", ROOT, async (t) => {
  const net = await netnsFixture(t);
  const kernel = await net.kernel();
  const watch = kernel.watch();
  await kernel.resolve("host");
  const before = openDescriptors();
  const workloads: Netns[] = [];
  for (let n = 0; n < 100; n++) workloads.push(await net.netns());
  for (const [n, netns] of workloads.entries()) await kernel.apply(add(veth("host", netns, n)));
  await kernel.settle();
  assert.equal(openDescriptors(), before);
  const missing = new Set(workloads);
  for (const netns of workloads) await net.machine.removeNetns(netns.slice("file://".length));
  while (missing.size > 0) {
    const event = await next(watch, "netns-removed");
    if (event.type === "netns-removed") assert.ok(missing.delete(event.netns), event.netns);
  }
  watch.close();
});

test("three hundred devices are removed in one batch and no longer observed", ROOT, async (t) => {
  const net = await netnsFixture(t);
  const [a, b] = [await net.netns(), await net.netns()];
  const kernel = await net.kernel();
  const wires = Array.from({ length: 150 }, (_, n) => veth(a, b, n));
  for (const wire of wires) await kernel.apply(add(wire));
  await Promise.all(wires.map((wire) => kernel.apply(remove(wire))));
  assert.deepEqual(await kernel.observe([{ netns: a }, { netns: b }]), []);
  await kernel.settle();
  assert.deepEqual(await kernel.observe([{ netns: a }, { netns: b }]), []);
});

test("notifications that overflow the socket's buffer give a resync", ROOT, async (t) => {
  const net = await netnsFixture(t);
  const a = await net.netns();
  const kernel = await net.kernel();
  await kernel.apply(add(veth(a, "host")));
  const watch = kernel.watch();
  // The worker reads no notifications before the end of the batch.
  const address = { kind: "address", netns: a, link: "nl-1a", address: "10.9.0.1/32" } as const;
  const flood = Array.from({ length: 6000 }, () => [...add(address), ...remove(address)]).flat();
  await kernel.apply(flood);
  const event = await next(watch, "resync");
  assert.deepEqual(event, { type: "resync", reason: "ENOBUFS: notifications were lost" });
  watch.close();
});

test("opening a host deletes the devices that a dead worker has left doomed", ROOT, async (t) => {
  const net = await netnsFixture(t);
  const a = await net.netns();
  const kernel = await net.kernel();
  const pair = veth("host", a);
  await kernel.apply(add(pair));
  await rejection(kernel.apply(remove(pair), { failpoint: { operation: 0, when: "after", how: "crash" } }));
  assert.deepEqual(await kernel.observe([{ netns: a }]), []);
  await kernel.settle();
  await kernel.apply(add(pair));
  assert.deepEqual(await observed(kernel, a), [pair]);
});

async function observed(kernel: OpenKernel, netns: Netns): Promise<KernelObject[]> {
  const objects = await kernel.observe([{ netns: "host" }, { netns }]);
  return objects.filter((object) => object.kind === "veth");
}

test("no thread is ever left in another namespace", ROOT, async (t) => {
  const net = await netnsFixture(t);
  const [a, b] = [await net.netns(), await net.netns()];
  const kernel = await net.kernel();
  for (let n = 0; n < 20; n++) {
    const pair = veth(a, b, n);
    await kernel.apply(add(pair));
    await kernel.apply(remove(pair));
    await kernel.settle();
  }
  assert.deepEqual(strayThreads(), []);
});
