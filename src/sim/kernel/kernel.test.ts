/**
 * Properties of the simulated machine beyond the contract (e2e/kernel/kernel-contract.ts): packets, faults, reused inodes,
 * delays.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "../../../e2e/virtual-clock.ts";
import {
  KernelError,
  type KernelObject,
  type LinkEnd,
  type Netns,
  type Operation,
} from "../../kernel/kernel.ts";
import { SimMachine } from "./kernel.ts";

function end(netns: Netns, name: string, number: number): LinkEnd {
  return { netns, name, mac: `02:00:00:00:00:0${number}`, mtuBytes: 1500, alias: name };
}

function add(...objects: readonly KernelObject[]): Operation[] {
  return objects.map((object) => ({ verb: "add", object }));
}

function tunnel(vni: number): KernelObject {
  const ends = { local: "10.8.0.1", remote: "10.8.0.2", port: 4789 } as const;
  return { kind: "vxlan", ...end("host", `vx-${vni}`, vni), vni, ...ends };
}

/** One half of a wire: a veth into the workload, joined to a tunnel by programs. */
function half(workload: Netns, own: number, other: number, vtep: string, otherVtep: string): KernelObject[] {
  const link = { netns: workload, link: "nl-1" } as const;
  return [
    { kind: "veth", ends: [end("host", "nlv", 9), end(workload, "nl-1", own)] },
    { kind: "vxlan", ...end("host", "nlx", 8), vni: 7, port: 4789, local: vtep, remote: otherVtep },
    { kind: "program", netns: "host", link: "nlv", verdict: "redirect", target: "nlx" },
    { kind: "program", netns: "host", link: "nlx", verdict: "redirect-peer", target: "nlv" },
    { kind: "address", ...link, address: `10.0.0.${own}/32`, peer: `10.0.0.${other}/32` },
    ...["nlv", "nlx"].map((name): KernelObject => ({ kind: "up", netns: "host", link: name })),
    { kind: "up", ...link },
    { kind: "neighbor", ...link, address: `10.0.0.${other}`, mac: `02:00:00:00:00:0${other}` },
  ];
}

test("a packet crosses a tunnel between two hosts, is counted, and is dropped once any object on its way is removed", async () => {
  const machine = new SimMachine({ clock: new VirtualClock() });
  const [alpha, beta, left, right] = ["alpha", "beta", "left", "right"].map((name) =>
    machine.createNetns(`/run/netns/${name}`),
  ) as [Netns, Netns, Netns, Netns];
  machine.plantUplink({ netns: alpha, name: "eth0", addresses: ["192.0.2.1/24"] });
  machine.plantUplink({ netns: beta, name: "eth0", addresses: ["192.0.2.2/24"] });
  const kernels = [machine.kernel({ host: alpha }), machine.kernel({ host: beta })] as const;
  await kernels[0].apply(add(...half(left, 1, 2, "192.0.2.1", "192.0.2.2")));
  assert.equal(machine.reaches(left, "10.0.0.2"), undefined);
  await kernels[1].apply(add(...half(right, 2, 1, "192.0.2.2", "192.0.2.1")));
  assert.deepEqual(machine.reaches(left, "10.0.0.2"), { netns: right, link: "nl-1" });
  assert.deepEqual(machine.reaches(right, "10.0.0.1"), { netns: left, link: "nl-1" });
  assert.equal(machine.reaches(left, "10.0.0.3"), undefined);
  machine.send(left, "10.0.0.2", 100);
  const queries = [{ netns: "host", link: "nlx" }] as const;
  assert.deepEqual(await kernels[1].counters(queries), [{ packets: 1, bytes: 100 }]);
  const program = {
    kind: "program",
    netns: "host",
    link: "nlx",
    verdict: "redirect-peer",
    target: "nlv",
  } as const;
  await kernels[1].apply([{ verb: "remove", object: program }]);
  assert.equal(machine.reaches(left, "10.0.0.2"), undefined);
});

test("a packet passes a router that forwards", async () => {
  const machine = new SimMachine({ clock: new VirtualClock() });
  const [router, left, right] = ["router", "left", "right"].map((name) =>
    machine.createNetns(`/run/netns/${name}`),
  ) as [Netns, Netns, Netns];
  const kernel = machine.kernel({ host: router });
  await kernel.apply(
    add(
      { kind: "veth", ends: [end("host", "p1", 1), end(left, "eth0", 2)] },
      { kind: "veth", ends: [end("host", "p2", 3), end(right, "eth0", 4)] },
      { kind: "address", netns: "host", link: "p1", address: "10.1.0.1/24" },
      { kind: "address", netns: left, link: "eth0", address: "10.1.0.2/24" },
      { kind: "address", netns: "host", link: "p2", address: "10.2.0.1/24" },
      { kind: "address", netns: right, link: "eth0", address: "10.2.0.2/24" },
      ...["p1", "p2"].map((link): KernelObject => ({ kind: "up", netns: "host", link })),
      ...[left, right].map((netns): KernelObject => ({ kind: "up", netns, link: "eth0" })),
      { kind: "route", netns: left, link: "eth0", destination: "0.0.0.0/0", via: "10.1.0.1" },
    ),
  );
  assert.deepEqual(machine.reaches(left, "10.1.0.1"), { netns: router, link: "p1" });
  assert.equal(machine.reaches(left, "10.2.0.2"), undefined);
  await kernel.apply(add({ kind: "sysctl", netns: "host", values: { "net/ipv4/ip_forward": "1" } }));
  assert.deepEqual(machine.reaches(left, "10.2.0.2"), { netns: right, link: "eth0" });
});

test("a rule sends packets of one source by another table", async () => {
  const machine = new SimMachine({ clock: new VirtualClock() });
  const [left, right] = [machine.createNetns("/run/netns/left"), machine.createNetns("/run/netns/right")];
  const kernel = machine.kernel({ host: left });
  await kernel.apply(
    add(
      { kind: "veth", ends: [end("host", "eth0", 1), end(right, "eth0", 2)] },
      { kind: "address", netns: "host", link: "eth0", address: "10.1.0.1/24" },
      { kind: "address", netns: right, link: "eth0", address: "10.9.0.1/32" },
      { kind: "up", netns: "host", link: "eth0" },
      { kind: "up", netns: right, link: "eth0" },
      { kind: "route", netns: "host", link: "eth0", destination: "10.9.0.1/32", table: 7 },
      { kind: "rule", netns: "host", family: 4, priority: 100, table: 7, from: "10.1.0.1/32" },
    ),
  );
  assert.equal(machine.reaches(left, "10.9.0.1"), undefined);
  assert.deepEqual(machine.reaches(left, "10.9.0.1", { source: "10.1.0.1" }), { netns: right, link: "eth0" });
});

test("a reused inode does not lead to the new namespace", async () => {
  const machine = new SimMachine({ clock: new VirtualClock() });
  const kernel = machine.kernel();
  const first = await kernel.resolve(machine.createNetns("/proc/7/ns/net"));
  machine.removeNetns("/proc/7/ns/net");
  const path = machine.createNetns("/proc/7/ns/net");
  await assert.rejects(kernel.resolve(first.netns), { code: "NOT_FOUND" });
  const second = await kernel.resolve(path);
  assert.equal(second.netns, first.netns);
  assert.notEqual(second.cookie, first.cookie);
});

test("a fault strikes the chosen operation with the given errno", async () => {
  const machine = new SimMachine({ clock: new VirtualClock() });
  const kernel = machine.kernel({
    fault: (number) => (number === 1 ? { when: "after", how: "error", errno: "ENOBUFS" } : undefined),
  });
  const batch = add(tunnel(1), tunnel(2));
  await assert.rejects(kernel.apply(batch), (error: KernelError) => {
    assert.deepEqual([error.code, error.errno, error.operation], ["RESOURCE_EXHAUSTED", "ENOBUFS", 1]);
    return error instanceof KernelError;
  });
  assert.deepEqual(await kernel.observe([{ netns: "host" }]), []);
  await kernel.apply(batch);
});

test("a crash of the kernel's implementation stops its batches and tells watches to observe again", async () => {
  const machine = new SimMachine({ clock: new VirtualClock() });
  const kernel = machine.kernel();
  const watch = kernel.watch();
  const outcomes = Promise.allSettled([1, 2].map((n) => kernel.apply(add(tunnel(n)))));
  kernel.crash();
  for (const outcome of await outcomes) {
    assert.equal(outcome.status, "rejected");
    assert.equal((outcome.reason as KernelError).code, "ABORTED");
  }
  assert.equal((await watch.take())?.type, "resync");
  const heir = machine.kernel();
  assert.deepEqual(await heir.observe([{ netns: "host" }]), []);
});

test("a name is free after the deletion time and not before", async () => {
  const clock = new VirtualClock();
  const machine = new SimMachine({ clock, operationMs: 1, deletionMs: 50 });
  const kernel = machine.kernel();
  const object = tunnel(1);
  await kernel.apply([{ verb: "add", object }]);
  await kernel.apply([{ verb: "remove", object }]);
  const removedMs = clock.monotonicMs();
  await kernel.apply([{ verb: "add", object }]);
  assert.ok(clock.monotonicMs() >= removedMs + 50, String(clock.monotonicMs() - removedMs));
});

test("the random numbers decide the duration of an operation", async () => {
  const clock = new VirtualClock();
  const random = { fraction: (_purpose: string, n: number) => n / 10, bytes: () => new Uint8Array() };
  const kernel = new SimMachine({ clock, random, operationMs: 1 }).kernel();
  await kernel.apply(add(tunnel(1), tunnel(2)));
  assert.ok(Math.abs(clock.monotonicMs() - 1.1) < 1e-9, String(clock.monotonicMs()));
});
