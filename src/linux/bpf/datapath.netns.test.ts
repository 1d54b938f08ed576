/**
 *   workload a          host a                            host b          workload b
 *   wa ========= ha 1001   va 1002 ...underlay... vb 2002   hb 2001 ========= wb
 *                       `-redirect-^ \---VXLAN 42---/ ^-redirect-'
 *                       ^-redirect-peer'             `redirect-peer-^
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { setImmediate } from "node:timers/promises";
import { NetloomError } from "../../errors/errors.ts";
import { needs } from "../../../fixtures/linux/features.ts";
import { inside } from "../../../fixtures/linux/inside.ts";
import { needsRoot, netnsFixture, type NetnsFixture } from "../../../fixtures/linux/netns.ts";
import { bindSocket, close, receive, send, socket } from "../libc/syscall.ts";
import { getPinned, queryTcxIngress, runTcProgram, verifiedInstructions } from "./bpf.ts";
import { isBpffs } from "./bpffs.ts";
import { Datapath } from "./datapath.ts";
import { readObject } from "./object.ts";

const options = { skip: needsRoot };
/** For tests that attach a program. Attaching by qdisc is tested elsewhere. */
const tcx = { skip: needs("tcx links") };
const OBJECT = readFileSync(new URL("../../../datapath/build/wire.bpf.o", import.meta.url));

const AF_PACKET = 17;
const SOCK_RAW = 3;
/** ETH_P_802_EX1 in network order: for local experiments. */
const PROTOCOL_BE = 0xb588;
const FRAME_BYTES = 100;

function run(command: string, ...more: string[]): string {
  const [program = "", ...words] = command.split(" ");
  return execFileSync(program, [...words, ...more], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

/** Undoes everything that a test makes in reverse order, even if the test fails. */
class Stage {
  readonly #stack: DisposableStack;
  readonly #fixture: NetnsFixture;

  private constructor(fixture: NetnsFixture, stack: DisposableStack) {
    this.#fixture = fixture;
    this.#stack = stack;
  }

  static async open(t: TestContext): Promise<Stage> {
    const stack = new DisposableStack();
    // Before the hook of the fixture, which checks for leftovers.
    t.after(() => stack.dispose());
    return new Stage(await netnsFixture(t), stack);
  }

  get directory(): string {
    return this.#fixture.bpffs;
  }

  defer(action: () => void): void {
    this.#stack.defer(action);
  }

  /** A namespace without IPv6 and with loopback down, so that only the test sends packets. */
  async netns(): Promise<string> {
    const name = this.#fixture.nameOf(await this.#fixture.netns());
    run(
      `ip netns exec ${name} sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1`,
    );
    return name;
  }

  datapath(): Datapath {
    const datapath = Datapath.open(this.directory);
    this.#stack.defer(() => datapath.destroy());
    return datapath;
  }
}

/** A packet socket on a workload's device, with an unused ethertype, so that nothing answers by itself. */
class Port {
  readonly #fd: number;

  constructor(stage: Stage, netns: string, device: string) {
    const ifindex = Number(run(`ip netns exec ${netns} cat /sys/class/net/${device}/ifindex`));
    this.#fd = inside(netns, () => socket(AF_PACKET, SOCK_RAW, PROTOCOL_BE));
    stage.defer(() => close(this.#fd));
    const address = Buffer.alloc(20);
    address.writeUInt16LE(AF_PACKET, 0);
    address.writeUInt16LE(PROTOCOL_BE, 2);
    address.writeUInt32LE(ifindex, 4);
    bindSocket(this.#fd, address);
  }

  send(count: number): void {
    const frame = Buffer.alloc(FRAME_BYTES, "x");
    frame.writeUInt16LE(PROTOCOL_BE, 12);
    frame.write("ffffffffffff020000000001", "hex");
    for (let n = 0; n < count; n++) {
      send(this.#fd, frame);
    }
  }

  /** Waits for `count` frames. */
  async received(count: number): Promise<number> {
    let frames = 0;
    while (frames < count) {
      if (receive(this.#fd, Buffer.alloc(FRAME_BYTES)) === undefined) {
        await setImmediate();
      } else {
        frames += 1;
      }
    }
    return frames;
  }
}

/** Makes a veth pair in `netns` with given indexes, both ends up. */
function veth(netns: string, [name, index]: [string, number], [peer, peerIndex]: [string, number]): void {
  run(`ip -n ${netns} link add ${name} index ${index} type veth peer name ${peer} index ${peerIndex}`);
  run(`ip -n ${netns} link set ${name} up`);
  run(`ip -n ${netns} link set ${peer} up`);
}

interface Host {
  readonly netns: string;
  readonly workload: string;
  readonly end: number;
  readonly tunnel: number;
}

/** One half of the drawing: a workload, the host end of its wire, and a tunnel. */
async function host(
  stage: Stage,
  netns: string,
  who: { side: "a" | "b"; base: number; own: number; peer: number },
): Promise<Host> {
  const { side, base, own, peer } = who;
  const workload = await stage.netns();
  run(`ip -n ${netns} address add 192.0.2.${own}/24 dev u${side}`);
  run(`ip -n ${netns} link set u${side} up`);
  run(
    `ip -n ${netns} link add h${side} index ${base + 1} type veth peer name w${side} address 02:00:00:00:00:0${own} netns ${workload}`,
  );
  run(
    `ip -n ${netns} link add v${side} index ${base + 2} type vxlan id 42 local 192.0.2.${own} remote 192.0.2.${peer} dstport 4789 nolearning`,
  );
  run(`ip -n ${netns} link set h${side} up`);
  run(`ip -n ${netns} link set v${side} up`);
  run(`ip -n ${workload} link set w${side} mtu 1400 up`);
  return { netns, workload, end: base + 1, tunnel: base + 2 };
}

async function twoHosts(stage: Stage): Promise<[Host, Host]> {
  const [left, right] = [await stage.netns(), await stage.netns()];
  run(`ip -n ${left} link add ua type veth peer name ub netns ${right}`);
  return [
    await host(stage, left, { side: "a", base: 1000, own: 1, peer: 2 }),
    await host(stage, right, { side: "b", base: 2000, own: 2, peer: 1 }),
  ];
}

function connect(datapath: Datapath, { netns, end, tunnel }: Host): void {
  inside(netns, () => {
    datapath.attach({ ifindex: end, name: `end-${end}`, verdict: "redirect", targetIfindex: tunnel });
    datapath.attach({
      ifindex: tunnel,
      name: `tunnel-${tunnel}`,
      verdict: "redirect-peer",
      targetIfindex: end,
    });
  });
}

test("frames cross veth, redirect, VXLAN and redirect_peer, and each is counted once", tcx, async (t) => {
  const stage = await Stage.open(t);
  const [a, b] = await twoHosts(stage);
  const datapath = stage.datapath();
  connect(datapath, a);
  connect(datapath, b);
  const [left, right] = [new Port(stage, a.workload, "wa"), new Port(stage, b.workload, "wb")];
  left.send(200);
  assert.equal(await right.received(200), 200);
  right.send(70);
  assert.equal(await left.received(70), 70);
  assert.deepEqual(
    datapath.allCounters(),
    new Map([
      [a.end, { packets: 200, bytes: 200 * FRAME_BYTES }],
      [b.tunnel, { packets: 200, bytes: 200 * FRAME_BYTES }],
      [b.end, { packets: 70, bytes: 70 * FRAME_BYTES }],
      [a.tunnel, { packets: 70, bytes: 70 * FRAME_BYTES }],
    ]),
  );
  assert.deepEqual(datapath.counters(a.end), { packets: 200, bytes: 200 * FRAME_BYTES });
});

test("a change of the target keeps the counters", tcx, async (t) => {
  const stage = await Stage.open(t);
  const [a, b] = await twoHosts(stage);
  const datapath = stage.datapath();
  connect(datapath, a);
  connect(datapath, b);
  const [left, right] = [new Port(stage, a.workload, "wa"), new Port(stage, b.workload, "wb")];
  left.send(3);
  assert.equal(await right.received(3), 3);
  datapath.change({ ifindex: a.end, verdict: "pass" });
  left.send(2);
  datapath.change({ ifindex: a.end, verdict: "redirect", targetIfindex: a.tunnel });
  left.send(4);
  assert.equal(await right.received(4), 4);
  assert.equal(datapath.counters(a.end)?.packets, 3 + 2 + 4);
  assert.equal(datapath.counters(b.tunnel)?.packets, 3 + 4);
  assert.throws(() => datapath.change({ ifindex: 987_654, verdict: "pass" }), {
    code: "NOT_FOUND",
  });
});

test("a detached device drops frames at once", tcx, async (t) => {
  const stage = await Stage.open(t);
  const [a, b] = await twoHosts(stage);
  const datapath = stage.datapath();
  connect(datapath, a);
  connect(datapath, b);
  const [left, right] = [new Port(stage, a.workload, "wa"), new Port(stage, b.workload, "wb")];
  datapath.detach(`end-${a.end}`);
  left.send(5);
  assert.equal(datapath.counters(a.end), undefined);
  right.send(1);
  assert.equal(await left.received(1), 1);
  assert.equal(datapath.counters(b.tunnel)?.packets, 0);
});

test("a GSO packet counts as its segments, and an unknown device drops frames", options, async (t) => {
  const stage = await Stage.open(t);
  const netns = await stage.netns();
  veth(netns, ["x", 3001], ["y", 3002]);
  const path = stage.directory;
  const datapath = stage.datapath();
  const pin = readdirSync(path).find((name) => name.startsWith("wire-")) ?? "";
  const program = getPinned(join(path, pin)) ?? -1;
  try {
    inside(netns, () => {
      datapath.bind({ ifindex: 3001, verdict: "pass" }, () => false);
      const frame = Buffer.alloc(1000);
      assert.equal(
        runTcProgram(program, { frame, ifindex: 3001, repeat: 1, gsoSegments: 10, gsoBytes: 100 }).verdict,
        -1,
      );
      assert.deepEqual(datapath.counters(3001), { packets: 10, bytes: 1000 });
      runTcProgram(program, { frame, ifindex: 3001, repeat: 1, gsoBytes: 400 });
      assert.deepEqual(datapath.counters(3001), { packets: 13, bytes: 2000 });
      assert.equal(runTcProgram(program, { frame, ifindex: 3002, repeat: 1 }).verdict, 2);
      assert.equal(datapath.counters(3002), undefined);
      runTcProgram(program, { frame, ifindex: 3002, repeat: 1, gsoSegments: 10, gsoBytes: 100 });
      const [dropped, ...others] = datapath.drops(() => undefined).counts;
      assert.deepEqual([dropped?.reason, dropped?.packets, others], ["closed", 11, []]);
    });
  } finally {
    closeSync(program);
  }
});

test("root in the workload's namespace cannot detach the program", tcx, async (t) => {
  const stage = await Stage.open(t);
  const netns = await stage.netns();
  veth(netns, ["x", 3001], ["y", 3002]);
  const datapath = stage.datapath();
  const programs = inside(netns, () => {
    datapath.attach({ ifindex: 3001, name: "x", verdict: "pass" });
    return queryTcxIngress(3001);
  });
  assert.equal(programs.length, 1);
  assert.throws(() => run(`ip netns exec ${netns} tc qdisc del dev x clsact`));
  run(`ip netns exec ${netns} tc qdisc add dev x clsact`);
  run(`ip netns exec ${netns} tc qdisc del dev x clsact`);
  run(`ip -n ${netns} link set x down`);
  run(`ip -n ${netns} link set x name z up`);
  assert.deepEqual(
    inside(netns, () => queryTcxIngress(3001)),
    programs,
  );
});

test("pins survive the process that made them, and another process adopts them", tcx, async (t) => {
  const stage = await Stage.open(t);
  const netns = await stage.netns();
  veth(netns, ["x", 3001], ["y", 3002]);
  const path = stage.directory;
  const module = (name: string): string => JSON.stringify(new URL(name, import.meta.url).href);
  // Not by `ip netns exec`, which has its own mount namespace: the bpffs would vanish with it.
  const script = `
    import { openSync } from "node:fs";
    import { Datapath } from ${module("./datapath.ts")};
    import { setNetns } from ${module("../libc/syscall.ts")};
    setNetns(openSync("/run/netns/${netns}", "r"));
    const datapath = Datapath.open(${JSON.stringify(path)});
    datapath.attach({ ifindex: 3001, name: "client-7f.1/x", verdict: "redirect", targetIfindex: 3002 });
    process.kill(process.pid, "SIGKILL");`;
  assert.throws(() => run(`${process.execPath} --input-type=module --eval`, script), { signal: "SIGKILL" });
  const datapath = stage.datapath();
  assert.deepEqual(datapath.list(), [
    { name: "client-7f.1/x", ifindex: 3001, verdict: "redirect", targetIfindex: 3002 },
  ]);
  assert.deepEqual(datapath.counters(3001), { packets: 0, bytes: 0 });
});

test("a newer object takes over links and counters, and the older program is removed", tcx, async (t) => {
  const stage = await Stage.open(t);
  const netns = await stage.netns();
  veth(netns, ["x", 3001], ["y", 3002]);
  const path = stage.directory;
  const older = stage.datapath();
  const before = inside(netns, () => {
    older.attach({ ifindex: 3001, name: "x", verdict: "pass" });
    return queryTcxIngress(3001);
  });
  const pins = readdirSync(path).filter((pin) => pin.startsWith("wire-"));
  const bytes = Buffer.from(OBJECT);
  bytes.write("Dual BSD/GPL", bytes.indexOf("Dual MIT/GPL"));
  const newer = Datapath.open(path, { object: bytes });
  t.after(() => newer.close());
  const after = inside(netns, () => queryTcxIngress(3001));
  assert.equal(after.length, 1);
  assert.notDeepEqual(after, before);
  assert.deepEqual(newer.counters(3001), { packets: 0, bytes: 0 });
  const now = readdirSync(path).filter((pin) => pin.startsWith("wire-"));
  assert.equal(now.length, 1);
  assert.notDeepEqual(now, pins);
});

test("a failure of any step of attach leaves nothing behind", tcx, async (t) => {
  const stage = await Stage.open(t);
  const netns = await stage.netns();
  veth(netns, ["x", 3001], ["y", 3002]);
  const datapath = stage.datapath();
  inside(netns, () => {
    datapath.attach({ ifindex: 3001, name: "x", verdict: "pass" });
    const refused = (ifindex: number, name: string): string => {
      try {
        datapath.attach({ ifindex, name, verdict: "redirect", targetIfindex: 3001 });
        return "accepted";
      } catch (error) {
        assert(error instanceof NetloomError);
        return error.message;
      }
    };
    assert.equal(
      refused(3002, "x"),
      "attach wire x to device 3002: EEXIST: the name is in use on device 3001",
    );
    assert.equal(
      refused(3001, "y"),
      "attach wire y to device 3001: EEXIST: wire x has a device with this index",
    );
    assert.equal(refused(3999, "y"), "attach wire y to device 3999: ENODEV");
    assert.match(refused(3002, "y".repeat(300)), /ENAMETOOLONG$/);
    assert.deepEqual(queryTcxIngress(3002), []);
    assert.equal(queryTcxIngress(3001).length, 1);
  });
  assert.deepEqual(datapath.list(), [{ name: "x", ifindex: 3001, verdict: "pass" }]);
  assert.deepEqual([...datapath.allCounters().keys()], [3001]);
});

test("a link that cannot be pinned is detached again", tcx, async (t) => {
  const stage = await Stage.open(t);
  const netns = await stage.netns();
  veth(netns, ["x", 3001], ["y", 3002]);
  const path = stage.directory;
  const datapath = stage.datapath();
  rmdirSync(join(path, "links"));
  inside(netns, () => {
    assert.throws(() => datapath.attach({ ifindex: 3001, name: "x", verdict: "pass" }), {
      message: `pin ${path}/links/x: ENOENT`,
    });
    assert.deepEqual(queryTcxIngress(3001), []);
  });
  assert.equal(datapath.counters(3001), undefined);
  mkdirSync(join(path, "links"));
});

test("name and index of a removed device can be reused", tcx, async (t) => {
  const stage = await Stage.open(t);
  const netns = await stage.netns();
  const datapath = stage.datapath();
  for (const name of ["x", "x", "another"]) {
    veth(netns, ["x", 3001], ["y", 3002]);
    inside(netns, () => datapath.attach({ ifindex: 3001, name, verdict: "pass" }));
    run(`ip -n ${netns} link del x`);
    assert.deepEqual(
      datapath.list().find((wire) => wire.name === name),
      { name, ifindex: 0 },
    );
  }
  datapath.detach("x");
  datapath.detach("x");
  assert.deepEqual(datapath.list(), [{ name: "another", ifindex: 0 }]);
});

test("opening mounts a bpffs, destroying unmounts it and removes the directory", options, async (t) => {
  const stage = await Stage.open(t);
  const path = stage.directory;
  const first = Datapath.open(path);
  assert(isBpffs(path));
  first.close();
  const again = Datapath.open(path);
  again.destroy();
  assert(!existsSync(path));
  assert(!readFileSync("/proc/self/mounts", "utf8").includes(path));
});

/**
 * Instructions of each program, and the number that the verifier processes. The kernel's limit is a million; each costs
 * load time.
 */
const BOUNDS = { wire: [1800, 24000], uplink: [1400, 20000], retarget: [80, 4000] } as const;

test("the verifier accepts each program within its bounds", options, async (t) => {
  const stage = await Stage.open(t);
  stage.datapath();
  const { programs } = readObject(OBJECT);
  assert.deepEqual(programs.map(({ name }) => name).toSorted(), Object.keys(BOUNDS).toSorted());
  for (const [name, [most, mostVerified]] of Object.entries(BOUNDS)) {
    const pin = readdirSync(stage.directory).find((each) => each.startsWith(`${name}-`)) ?? "";
    const program = getPinned(join(stage.directory, pin)) ?? -1;
    const verified = verifiedInstructions(program);
    closeSync(program);
    const instructions = (programs.find((each) => each.name === name)?.instructions.length ?? 0) / 8;
    t.diagnostic(`${name}: ${instructions} instructions, ${verified} verified`);
    assert.ok(instructions > 0 && instructions <= most, `${name} has ${instructions} instructions`);
    assert.ok(verified > 0 && verified <= mostVerified, `the verifier looks at ${verified} of ${name}`);
  }
});

test("an object that fails verification leaves no mount and no pin", options, async (t) => {
  const path = (await Stage.open(t)).directory;
  const bytes = Buffer.from(OBJECT);
  const code =
    readObject(OBJECT).programs.find(({ name }) => name === "wire")?.instructions ?? Buffer.alloc(0);
  // Replace its last instruction by an invalid one.
  bytes[bytes.indexOf(code) + code.length - 8] = 0x9f;
  assert.throws(
    () => Datapath.open(path, { object: bytes }),
    (error) => {
      assert(error instanceof NetloomError);
      assert.match(error.message, /^load program wire: \w+: ./);
      assert(error.cause instanceof Error && error.cause.message.length > 100);
      return true;
    },
  );
  assert(!readFileSync("/proc/self/mounts", "utf8").includes(path));
  assert(!existsSync(path));
});
