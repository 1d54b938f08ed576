/** A plan with many members: changing one member costs one operation. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SimMachine } from "../../sim/kernel/kernel.ts";
import type { Kernel, KernelObject, Netns, Operation } from "../../kernel/kernel.ts";
import { hostAlias, type Plan } from "../../kernel/plan.ts";
import { diff } from "./diff.ts";
import { Reconciler } from "./reconcile.ts";

const MANY = 4096;

/** A LAN of many members: each is a neighbour of its device. */
function lan(members: ReadonlyMap<string, readonly KernelObject[]>): Plan {
  const on = { netns: "host", link: "lan-1" } as const;
  return {
    owner: "lan",
    objects: [
      {
        kind: "vxlan",
        netns: "host",
        name: on.link,
        mac: "02:00:00:00:00:01",
        mtuBytes: 1400,
        alias: "server-lan",
        vni: 7,
        local: "10.8.0.1",
        remote: "10.8.0.2",
        port: 4789,
      },
      { kind: "address", ...on, address: "10.64.0.1/12" },
      { kind: "up", ...on },
    ],
    members,
  };
}

function member(n: number, mac = "02:00:00:00:00:02"): KernelObject[] {
  const address = `10.64.${(n + 2) >> 8}.${(n + 2) & 0xff}`;
  return [{ kind: "neighbor", netns: "host", link: "lan-1", address, mac }];
}

/** A kernel that counts its calls. */
function counting(): {
  readonly kernel: Kernel;
  readonly done: Operation[];
  readonly looks: () => number;
  readonly there: (netns: Netns) => Promise<KernelObject[]>;
} {
  let nowMs = 0;
  let looks = 0;
  const sleep = (durationMs: number): Promise<void> => {
    nowMs += Math.max(0, durationMs);
    return Promise.resolve();
  };
  const machine = new SimMachine({ clock: { wallMs: () => nowMs, monotonicMs: () => nowMs, sleep } });
  const sim = machine.kernel();
  const done: Operation[] = [];
  const kernel: Kernel = {
    apply(batch, options) {
      done.push(...batch);
      return sim.apply(batch, options);
    },
    observe(queries) {
      looks++;
      return sim.observe(queries);
    },
    nativeNetworks: (queries) => sim.nativeNetworks(queries),
    devices: (queries) => sim.devices(queries),
    ways: (queries) => sim.ways(queries),
    addresses: (queries) => sim.addresses(queries),
    drops: () => sim.drops(),
    counters: (queries) => sim.counters(queries),
    resolve: (netns) => sim.resolve(netns),
    watch: () => sim.watch(),
    settle: () => sim.settle(),
  };
  return { kernel, done, looks: () => looks, there: (netns) => sim.observe([{ netns }]) };
}

test("one of 4,096 members is added, changed and removed in one operation each, without a look at the kernel", async () => {
  const { kernel, done, looks, there } = counting();
  const reconciler = new Reconciler(kernel);
  const members = new Map(Array.from({ length: MANY }, (_, n) => [`m${n}`, member(n)]));
  await reconciler.apply(lan(members));
  done.length = 0;
  await reconciler.applyMember("lan", "new", member(MANY));
  await reconciler.applyMember("lan", "m17", member(17, "02:00:00:00:00:03"));
  await reconciler.applyMember("lan", "m18", []);
  assert.deepEqual(
    done.map(({ verb, object }) => `${verb} ${object.kind}`),
    ["add neighbor", "change neighbor", "remove neighbor"],
  );
  assert.equal(looks(), 0);
  members.set("new", member(MANY)).set("m17", member(17, "02:00:00:00:00:03")).delete("m18");
  const { objects } = lan(members);
  assert.deepEqual(diff([...objects, ...[...members.values()].flat()], await there("host")), []);
  assert.deepEqual(await reconciler.apply(lan(members)), []);
  await reconciler.remove("lan");
  assert.deepEqual(await there("host"), []);
});

test("a member that somebody removed or added is repaired by a look at all members", async () => {
  const { kernel, there } = counting();
  const reconciler = new Reconciler(kernel);
  await reconciler.apply(lan(new Map([["m1", member(1)]])));
  const [one] = member(1);
  const [two] = member(2);
  assert.ok(one && two);
  await kernel.apply([
    { verb: "remove", object: one },
    { verb: "add", object: two },
  ]);
  await reconciler.applyMember("lan", "m2", member(2));
  const { objects } = lan(new Map());
  assert.deepEqual(diff([...objects, one, two], await there("host")), []);
});

test("a member of a plan that was not applied is refused", async () => {
  const reconciler = new Reconciler(counting().kernel);
  await assert.rejects(reconciler.applyMember("lan", "m1", member(1)), {
    code: "FAILED_PRECONDITION",
    message: "change m1 of wire lan: its plan was not applied",
  });
});

test("a shared object has one form: a plan that wants another is refused until it is the only holder", async () => {
  const { kernel, there } = counting();
  const reconciler = new Reconciler(kernel);
  const sharing = (owner: string, mtuBytes: number): Plan => {
    const [device] = lan(new Map()).objects;
    assert.ok(device?.kind === "vxlan");
    return { owner, objects: [], shared: [{ ...device, alias: hostAlias("lan-1"), mtuBytes }] };
  };
  await reconciler.apply(sharing("a", 1400));
  assert.deepEqual(await reconciler.apply(sharing("b", 1400)), []);
  await assert.rejects(reconciler.apply(sharing("b", 1300)), {
    code: "FAILED_PRECONDITION",
    message: "make wire b: share vxlan lan-1 vni 7: wire a has it otherwise",
  });
  await reconciler.remove("a");
  assert.equal((await there("host")).length, 1, "its last holder has it still");
  const changed = await reconciler.apply(sharing("b", 1300));
  assert.deepEqual(
    changed.map(({ verb }) => verb),
    ["change"],
  );
  await reconciler.remove("b");
  assert.deepEqual(await there("host"), []);
});
