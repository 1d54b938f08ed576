/**
 * The program of uplinks on a kernel without tcx links: a filter beside those of other programs, which a later process
 * finds again.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { inside } from "../../../fixtures/linux/inside.ts";
import { needsRoot, netnsFixture } from "../../../fixtures/linux/netns.ts";
import { close } from "../libc/syscall.ts";
import { getPinned } from "./bpf.ts";
import { Datapath } from "./datapath.ts";
import { Uplinks } from "./uplinks.ts";

const UPLINK = 3000;

interface Stage {
  readonly bpffs: string;
  readonly run: (...words: readonly string[]) => string;
  /** Opens the uplinks, as a starting process does. */
  readonly uplinks: () => Uplinks;
  readonly inside: <T>(action: () => T) => T;
}

async function stage(t: TestContext): Promise<Stage> {
  const stack = new DisposableStack();
  // Before the hook of the fixture, which checks for leftovers.
  t.after(() => stack.dispose());
  const net = await netnsFixture(t);
  const netns = net.nameOf(await net.netns());
  const run = (...words: readonly string[]): string =>
    execFileSync("ip", ["netns", "exec", netns, ...words], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });
  run("ip", "link", "add", "up0", "index", String(UPLINK), "type", "veth", "peer", "name", "up1");
  for (const link of ["up0", "up1"]) run("ip", "link", "set", link, "up");
  const datapath = Datapath.open(net.bpffs);
  stack.defer(() => datapath.destroy());
  const pin = readdirSync(net.bpffs).find((name) => name.startsWith("uplink-")) ?? "";
  const program = getPinned(join(net.bpffs, pin));
  assert.ok(program !== undefined);
  stack.defer(() => close(program));
  const made: Uplinks[] = [];
  stack.defer(() => made.forEach((each) => each.close()));
  return {
    bpffs: net.bpffs,
    run,
    uplinks: () => {
      const uplinks = new Uplinks(net.bpffs, program, { hasLinks: false });
      made.push(uplinks);
      return uplinks;
    },
    inside: (action) => inside(netns, action),
  };
}

function shown({ run }: Stage): string {
  return run("tc", "filter", "show", "dev", "up0", "ingress");
}

function ours(at: Stage): number {
  return shown(at).match(/handle 0x4e4c/g)?.length ?? 0;
}

function qdiscs({ run }: Stage): string {
  return run("tc", "qdisc", "show", "dev", "up0");
}

test(
  "the filter adds a missing qdisc, once for all processes, and both are removed at the end",
  { skip: needsRoot },
  async (t) => {
    const at = await stage(t);
    at.inside(() => at.uplinks().attach(UPLINK));
    assert.equal(ours(at), 1);
    assert.match(qdiscs(at), /clsact/);
    assert.match(shown(at), /pref 1 bpf .*handle 0x4e4c uplink direct-action/);
    const next = at.uplinks();
    at.inside(() => next.attach(UPLINK));
    assert.equal(ours(at), 1);
    assert.deepEqual([...next.attached], [UPLINK]);
    at.inside(() => next.clear());
    assert.doesNotMatch(qdiscs(at), /clsact/);
    assert.deepEqual(readdirSync(join(at.bpffs, "filters")), []);
  },
);

test("foreign qdiscs and filters stay, whether they came before or after", { skip: needsRoot }, async (t) => {
  const at = await stage(t);
  const add = (way: string, pref: string): void =>
    void at.run(
      ...`tc filter add dev up0 ${way} pref ${pref} protocol all u32 match u32 0 0 flowid 1:1`.split(" "),
    );
  at.inside(() => at.uplinks().attach(UPLINK));
  add("egress", "7");
  at.inside(() => at.uplinks().clear());
  assert.match(qdiscs(at), /clsact/);
  add("ingress", "7");
  at.inside(() => at.uplinks().attach(UPLINK));
  assert.equal(ours(at), 1);
  at.inside(() => at.uplinks().clear());
  assert.equal(ours(at), 0);
  assert.match(shown(at), /pref 7 u32/);
  assert.match(qdiscs(at), /clsact/);
});

test(
  "where a foreign filter of another kind has its place, it is not attached and leaves nothing",
  { skip: needsRoot },
  async (t) => {
    const at = await stage(t);
    at.run("tc", "qdisc", "add", "dev", "up0", "clsact");
    at.run(..."tc filter add dev up0 ingress pref 1 protocol all u32 match u32 0 0 flowid 1:1".split(" "));
    const uplinks = at.uplinks();
    at.inside(() => uplinks.attach(UPLINK));
    assert.equal(uplinks.attached.size, 0);
    assert.equal(ours(at), 0);
    assert.match(shown(at), /pref 1 u32/);
    assert.ok(!existsSync(join(at.bpffs, "filters")) || readdirSync(join(at.bpffs, "filters")).length === 0);
  },
);

test("the pins of a removed device are removed", { skip: needsRoot }, async (t) => {
  const at = await stage(t);
  at.inside(() => at.uplinks().attach(UPLINK));
  at.run("ip", "link", "del", "up0");
  at.inside(() => at.uplinks().detach(UPLINK));
  assert.deepEqual(readdirSync(join(at.bpffs, "filters")), []);
});
