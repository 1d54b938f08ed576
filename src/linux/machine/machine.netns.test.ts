import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readlinkSync } from "node:fs";
import { test } from "node:test";
import type { KernelObject, Netns } from "../../kernel/kernel.ts";
import { LAB_MARK } from "../../kernel/kernel.ts";
import { passes } from "../../../fixtures/linux/datagram.ts";
import { add, mac, rejection, remove, veth } from "../../../fixtures/linux/machine.ts";
import { needs } from "../../../fixtures/linux/features.ts";
import { needsRoot, netnsFixture } from "../../../fixtures/linux/netns.ts";

const ROOT = { skip: needsRoot };

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

test("a local wire carries a packet in both directions", ROOT, async (t) => {
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

/** One half of a remote wire: a workload's veth and a tunnel, joined by two programs. */
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

test("a remote wire carries a packet through tunnels joined by programs, and counts it", ROOT, async (t) => {
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
});

test(
  "the undo of a removal restores the program in a workload, and none where none was",
  { skip: needs("tcx links") },
  async (t) => {
    const net = await netnsFixture(t);
    const a = await net.netns();
    const kernel = await net.kernel();
    const pair = veth(a, "host");
    const program = { kind: "program", netns: a, link: "nl-1a", verdict: "pass" } as const;
    const failpoint = { operation: 0, when: "after", how: "error" } as const;
    await kernel.apply(add(pair));
    await rejection(kernel.apply(remove(program), { failpoint }));
    assert.deepEqual(await kernel.observe([{ netns: a }, { netns: "host" }]), [pair]);
    await kernel.apply(add(program));
    const error = await rejection(kernel.apply(remove(program), { failpoint }));
    assert.doesNotMatch(error.message, /undone/);
    assert.deepEqual(await kernel.observe([{ netns: a }, { netns: "host" }]), [pair, program]);
  },
);

test("EEXIST names the holder of the name or of the VNI", ROOT, async (t) => {
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

test("the namespace of an ended process is not found, and the error gives the reason", ROOT, async (t) => {
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

test("an identity is not found if its path now leads elsewhere", ROOT, async (t) => {
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

test("a file that is not a namespace is refused", ROOT, async (t) => {
  const net = await netnsFixture(t);
  const kernel = await net.kernel();
  const error = await rejection(kernel.resolve("file:///etc/hostname"));
  assert.equal(
    error.message,
    "open network namespace file:///etc/hostname: ENOENT: no network namespace is mounted there",
  );
});

test("createNetns refuses an existing path and leaves it unchanged", ROOT, async (t) => {
  const net = await netnsFixture(t);
  const a = await net.netns();
  const kernel = await net.kernel();
  const before = await kernel.resolve(a);
  const error = await rejection(net.machine.createNetns(a.slice("file://".length)));
  assert.equal(error.code, "ALREADY_EXISTS");
  assert.deepEqual(await kernel.resolve(a), before);
});

test("a closed machine rejects calls, and can be closed again", ROOT, async (t) => {
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
