import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readlinkSync } from "node:fs";
import { test } from "node:test";
import {
  KernelError,
  type KernelEvent,
  type KernelObject,
  type Netns,
  type Operation,
  type Veth,
  type Watch,
} from "../world/kernel.ts";
import { passes } from "./datagram-fixture.ts";
import { LAB_MARK, type LinuxKernel } from "./machine.ts";
import { needsRoot, netnsFixture, strayThreads } from "./netns-fixture.ts";

const TIMEOUT = { skip: needsRoot, timeout: 30_000 };

function add(...objects: readonly KernelObject[]): Operation[] {
  return objects.map((object) => ({ verb: "add", object }));
}

function remove(...objects: readonly KernelObject[]): Operation[] {
  return objects.map((object) => ({ verb: "remove", object }));
}

function mac(number: number): string {
  return `02:00:00:00:${(number >> 8).toString(16).padStart(2, "0")}:${(number & 255).toString(16).padStart(2, "0")}`;
}

function veth(a: Netns, b: Netns, n = 1): Veth {
  const end = (netns: Netns, side: string, number: number): Veth["ends"][0] => ({
    netns,
    name: `nl-${n}${side}`,
    mac: mac(2 * n + number),
    mtuBytes: 1400,
    alias: `${side}-${n}`,
  });
  return { kind: "veth", ends: [end(a, "a", 0), end(b, "b", 1)] };
}

/** Addresses, neighbours and the state of one end: `number` is 1 or 2. */
function configured(netns: Netns, link: string, number: number, peerMac: string): KernelObject[] {
  const on = { netns, link };
  const other = 3 - number;
  return [
    { kind: "address", ...on, address: `10.0.0.${number}/32`, peer: `10.0.0.${other}/32` },
    { kind: "up", ...on },
    { kind: "address", ...on, address: `fd00::${number}/128`, peer: `fd00::${other}/128` },
    { kind: "neighbor", ...on, address: `10.0.0.${other}`, mac: peerMac },
    { kind: "neighbor", ...on, address: `fd00::${other}`, mac: peerMac },
  ];
}

async function rejection(promise: Promise<unknown>): Promise<KernelError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof KernelError, String(error));
  return error;
}

/** Reads events until one of `type`. */
async function next(watch: Watch<KernelEvent>, type: KernelEvent["type"]): Promise<KernelEvent> {
  for (;;) {
    const event = await watch.next();
    assert.ok(event, "the watch has ended");
    if (event.type === type) return event;
  }
}

/** Descriptors of this process that lead into a namespace, or are sockets. */
function openDescriptors(): number {
  return readdirSync("/proc/self/fd").filter((fd) => {
    try {
      return /^(net:|socket:)/.test(readlinkSync(`/proc/self/fd/${fd}`));
    } catch {
      return false;
    }
  }).length;
}

test("a local wire carries a packet in both directions", TIMEOUT, async (t) => {
  const net = await netnsFixture(t);
  const [a, b] = [await net.netns(), await net.netns()];
  const kernel = await net.kernel();
  const pair = veth(a, b);
  const [first, second] = pair.ends;
  await kernel.apply(
    add(pair, ...configured(a, first.name, 1, second.mac), ...configured(b, second.name, 2, first.mac)),
  );
  assert.ok(await passes(net.machine, a, b, "10.0.0.2"));
  assert.ok(await passes(net.machine, b, a, "10.0.0.1"));
});

/** One half of a remote wire: a workload's veth joined with a tunnel by two programs. */
function half(workload: Netns, number: number): KernelObject[] {
  const pair = veth("host", workload, number);
  const [near, far] = pair.ends;
  const tunnel = `vx-${number}`;
  return [
    pair,
    {
      kind: "vxlan",
      netns: "host",
      name: tunnel,
      mac: mac(90 + number),
      mtuBytes: 1350,
      alias: "vxlan",
      vni: 42,
      local: `192.0.2.${number}`,
      remote: `192.0.2.${3 - number}`,
      port: 4789,
    },
    { kind: "program", netns: "host", link: near.name, verdict: "redirect", target: tunnel },
    { kind: "program", netns: "host", link: tunnel, verdict: "redirect-peer", target: near.name },
    { kind: "up", netns: "host", link: near.name },
    { kind: "up", netns: "host", link: tunnel },
    ...configured(workload, far.name, number, mac(2 * (3 - number) + 1)),
  ];
}

test(
  "a remote wire carries a packet through tunnels that programs join, and counts it",
  TIMEOUT,
  async (t) => {
    const net = await netnsFixture(t);
    const [alpha, beta, one, two] = [
      await net.netns(),
      await net.netns(),
      await net.netns(),
      await net.netns(),
    ];
    const lab = await net.kernel({ host: alpha, mark: LAB_MARK });
    const cable = veth("host", beta, 9);
    const uplink = (netns: Netns, link: string, n: number): KernelObject[] => [
      { kind: "address", netns, link, address: `192.0.2.${n}/24` },
      { kind: "up", netns, link },
    ];
    await lab.apply(add(cable, ...uplink("host", "nl-9a", 1), ...uplink(beta, "nl-9b", 2)));
    const kernels = [
      await net.kernel({ host: alpha, bpffs: `${net.bpffs}/alpha` }),
      await net.kernel({ host: beta, bpffs: `${net.bpffs}/beta` }),
    ] as const;
    await kernels[0].apply(add(...half(one, 1)));
    await kernels[1].apply(add(...half(two, 2)));
    assert.ok(await passes(net.machine, one, two, "10.0.0.2"));
    assert.ok(await passes(net.machine, two, one, "10.0.0.1"));
    const counters = await kernels[0].counters([
      { netns: "host", link: "nl-1a" },
      { netns: "host", link: "vx-1" },
    ]);
    for (const each of counters) assert.ok(each && each.packets >= 1, JSON.stringify(counters));
  },
);

test("EEXIST says who has the name, and who has the VNI", TIMEOUT, async (t) => {
  const net = await netnsFixture(t);
  const host = await net.netns();
  const a = await net.netns();
  const kernel = await net.kernel({ host });
  const stranger = await net.kernel({ host, mark: { group: 7, protocol: 99 } });
  const tunnel = (name: string): KernelObject => ({
    kind: "vxlan",
    netns: "host",
    name,
    mac: mac(1),
    mtuBytes: 1400,
    alias: `of ${name}`,
    vni: 42,
    local: "192.0.2.1",
    remote: "192.0.2.2",
    port: 4789,
  });
  await kernel.apply(add(veth("host", a), tunnel("vx-1")));
  const ours = await rejection(kernel.apply(add(veth("host", a))));
  assert.equal(
    ours.message,
    `add veth nl-1a and nl-1b in ${a}: EEXIST: device nl-1a exists, one of ours (a-1)`,
  );
  const theirs = await rejection(stranger.apply(add(veth("host", a))));
  assert.match(theirs.message, /device nl-1a exists, which is not ours \(veth\)$/);
  const vni = await rejection(kernel.apply(add(tunnel("vx-2"))));
  assert.match(vni.message, /VNI 42 on port 4789 is taken by device vx-1, one of ours \(of vx-1\)$/);
});

test("a namespace of a process that has ended is not found, and the reason is said", TIMEOUT, async (t) => {
  const net = await netnsFixture(t);
  const kernel = await net.kernel();
  const child = spawn("unshare", ["--net", "sleep", "60"], { stdio: "ignore" });
  t.after(() => child.kill());
  const path = `/proc/${child.pid}/ns/net`;
  const own = readlinkSync("/proc/self/ns/net");
  while (readlinkSync(path) === own) await new Promise((resolve) => setImmediate(resolve));
  const { netns } = await kernel.resolve(`file://${path}`);
  assert.equal((await kernel.resolve(netns)).netns, netns);
  child.kill();
  await once(child, "exit");
  const byPath = await rejection(kernel.resolve(`file://${path}`));
  assert.equal(
    byPath.message,
    `open network namespace file://${path}: ENOENT: there is no process ${child.pid}`,
  );
  const byIdentity = await rejection(kernel.resolve(netns));
  assert.equal(byIdentity.code, "NOT_FOUND");
  assert.match(
    byIdentity.message,
    /which is gone: the process ended$|found neither below \/run\/netns nor in any process$/,
  );
});

test("an identity whose path leads elsewhere by now is not found", TIMEOUT, async (t) => {
  const net = await netnsFixture(t);
  const a = await net.netns();
  const kernel = await net.kernel();
  const { netns } = await kernel.resolve(a);
  const path = a.slice("file://".length);
  await net.machine.removeNetns(path);
  await net.machine.createNetns(path);
  const error = await rejection(kernel.resolve(netns));
  assert.equal(error.code, "NOT_FOUND");
  assert.match(
    error.message,
    /which now leads to another namespace: it was removed and made anew$|found neither/,
  );
});

test("a file that is no namespace is refused", TIMEOUT, async (t) => {
  const net = await netnsFixture(t);
  const kernel = await net.kernel();
  const error = await rejection(kernel.resolve("file:///etc/hostname"));
  assert.equal(
    error.message,
    "open network namespace file:///etc/hostname: ENOENT: no network namespace is mounted there",
  );
});

test("createNetns refuses a path that is there, and leaves it as it was", TIMEOUT, async (t) => {
  const net = await netnsFixture(t);
  const a = await net.netns();
  const kernel = await net.kernel();
  const before = await kernel.resolve(a);
  const error = await rejection(net.machine.createNetns(a.slice("file://".length)));
  assert.equal(error.code, "ALREADY_EXISTS");
  assert.deepEqual(await kernel.resolve(a), before);
});

test(
  "a worker that dies in a batch rejects it, keeps no namespace alive, and another one goes on",
  TIMEOUT,
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
    // Nothing that the dead worker had open holds the namespace: its end is heard of.
    await net.machine.removeNetns(b.slice("file://".length));
    await next(watch, "netns-removed");
    watch.close();
  },
);

test("a worker may die while deletions are under way", TIMEOUT, async (t) => {
  const net = await netnsFixture(t);
  const kernel = await net.kernel();
  const bridge = {
    kind: "bridge",
    netns: "host",
    name: "br",
    mac: mac(99),
    mtuBytes: 1500,
    alias: "",
  } as const;
  for (let round = 0; round < 4; round++) {
    const workloads: Netns[] = [];
    for (let n = 0; n < 8; n++) workloads.push(await net.netns());
    const pairs = workloads.map((netns, n) => veth(netns, netns, n));
    await kernel.apply(add(...pairs));
    await kernel.apply(remove(...pairs));
    const settled = rejection(kernel.settle());
    await rejection(kernel.apply(add(bridge), { failpoint: { operation: 0, when: "before", how: "crash" } }));
    assert.equal((await settled).code, "ABORTED");
    assert.deepEqual(await kernel.observe(workloads.map((netns) => ({ netns }))), []);
    await kernel.settle();
  }
});

test("a hundred namespaces that end are told of, and none was held", TIMEOUT, async (t) => {
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

test("three hundred devices are removed quickly, and answered at once", TIMEOUT, async (t) => {
  const net = await netnsFixture(t);
  const [a, b] = [await net.netns(), await net.netns()];
  const kernel = await net.kernel();
  const wires = Array.from({ length: 150 }, (_, n) => veth(a, b, n));
  for (const wire of wires) await kernel.apply(add(wire));
  const start = performance.now();
  await Promise.all(wires.map((wire) => kernel.apply(remove(wire))));
  const answered = performance.now() - start;
  assert.deepEqual(await kernel.observe([{ netns: a }, { netns: b }]), []);
  await kernel.settle();
  const settled = performance.now() - start;
  t.diagnostic(`150 pairs: answered in ${answered.toFixed(0)} ms, gone in ${settled.toFixed(0)} ms`);
  // One after the other they would take 3 s.
  assert.ok(settled < 2000, `${settled} ms`);
});

test("notifications that do not fit into the socket's buffer end in a resync", TIMEOUT, async (t) => {
  const net = await netnsFixture(t);
  const a = await net.netns();
  const kernel = await net.kernel();
  await kernel.apply(add(veth(a, "host")));
  const watch = kernel.watch();
  // The worker reads none of them before the batch is over.
  const address = { kind: "address", netns: a, link: "nl-1a", address: "10.9.0.1/32" } as const;
  const flood = Array.from({ length: 6000 }, () => [...add(address), ...remove(address)]).flat();
  await kernel.apply(flood);
  const event = await next(watch, "resync");
  assert.deepEqual(event, { type: "resync", reason: "ENOBUFS: notifications were lost" });
  watch.close();
});

test(
  "devices that a dead worker left doomed are deleted when their host is opened again",
  TIMEOUT,
  async (t) => {
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
  },
);

async function observed(kernel: LinuxKernel, netns: Netns): Promise<KernelObject[]> {
  const objects = await kernel.observe([{ netns: "host" }, { netns }]);
  return objects.filter((object) => object.kind === "veth");
}

test("no thread is ever left in another namespace", TIMEOUT, async (t) => {
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

test("a closed machine refuses politely, and closing twice is fine", TIMEOUT, async (t) => {
  const net = await netnsFixture(t);
  const kernel = await net.kernel();
  const path = (await net.netns()).slice("file://".length);
  await net.machine.removeNetns(path);
  await net.machine.removeNetns(path);
  await kernel.close();
  await kernel.close();
  const error = await rejection(kernel.resolve("host"));
  assert.equal(error.code, "FAILED_PRECONDITION");
});
