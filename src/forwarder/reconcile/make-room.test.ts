/** Plans of which one wants something that another one has: its own object, a member's, or a shared one. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { test } from "node:test";
import type { Kernel, KernelObject, Operation } from "../../kernel/kernel.ts";
import { hostAlias, type Plan } from "../../kernel/plan.ts";
import { SimMachine } from "../../sim/kernel/kernel.ts";
import { diff } from "./diff.ts";
import { Reconciler } from "./reconcile.ts";

/** A tunnel device: no other device in the host may have its VNI. */
function tunnel(name: string, alias: string, vni: number): KernelObject {
  const mac = `02:00:00:00:00:0${vni}`;
  const ways = { local: "10.8.0.1", remote: "10.8.0.2", port: 4789 };
  return { kind: "vxlan", netns: "host", name, mac, mtuBytes: 1400, alias, vni, ...ways };
}

const own = (owner: string, vni: number): KernelObject => tunnel(`${owner}-${vni}`, `server-${owner}`, vni);

function shared(name: string, vni: number): KernelObject[] {
  return [tunnel(name, hostAlias(name), vni), { kind: "up", netns: "host", link: name }];
}

const neighbor = (link: string, n: number): KernelObject => ({
  kind: "neighbor",
  netns: "host",
  link,
  address: `10.9.0.${n}`,
  mac: "02:00:00:00:00:99",
});

function simulated(): { readonly kernel: Kernel; readonly done: Operation[] } {
  let nowMs = 0;
  const sleep = (durationMs: number): Promise<void> => {
    nowMs += Math.max(0, durationMs);
    return Promise.resolve();
  };
  const sim = new SimMachine({ clock: { wallMs: () => nowMs, monotonicMs: () => nowMs, sleep } }).kernel();
  const done: Operation[] = [];
  const kernel: Kernel = {
    apply: (batch) => {
      done.push(...batch);
      return sim.apply(batch);
    },
    observe: (queries) => sim.observe(queries),
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
  return { kernel, done };
}

async function bring(reconciler: Reconciler, plans: readonly Plan[]): Promise<void> {
  const wanted = new Set(plans.map(({ owner }) => owner));
  for (const owner of reconciler.owners()) if (!wanted.has(owner)) await reconciler.remove(owner);
  await reconciler.makeRoom(plans);
  await Promise.all(plans.map((plan) => reconciler.apply(plan)));
}

async function isThere(kernel: Kernel, plans: readonly Plan[]): Promise<void> {
  const wanted = new Map<string, KernelObject>();
  for (const { objects, shared: held = [], members = new Map<string, KernelObject[]>() } of plans)
    for (const object of [...held, ...objects, ...[...members.values()].flat()])
      wanted.set(JSON.stringify(object), object);
  assert.deepEqual(diff([...wanted.values()], await kernel.observe([{ netns: "host" }])), []);
}

const rows: readonly (readonly [string, readonly Plan[], readonly Plan[]])[] = [
  [
    "an own object of one plan becomes a shared object of others",
    [
      { owner: "a", objects: [own("a", 7)] },
      { owner: "b", objects: [] },
    ],
    [
      { owner: "b", objects: [], shared: shared("nlh-1", 7) },
      { owner: "c", objects: [], shared: shared("nlh-1", 7) },
      { owner: "a", objects: [own("a", 8)] },
    ],
  ],
  [
    "a shared object of two plans becomes an own object of one",
    [
      { owner: "a", objects: [neighbor("nlh-1", 1)], shared: shared("nlh-1", 7) },
      { owner: "b", objects: [], shared: shared("nlh-1", 7) },
    ],
    [
      { owner: "c", objects: [own("c", 7)] },
      { owner: "a", objects: [] },
      { owner: "b", objects: [own("b", 8)] },
    ],
  ],
  [
    "a shared object is shared by other plans under another name",
    [
      { owner: "a", objects: [], shared: shared("nlh-1", 7) },
      { owner: "b", objects: [], shared: shared("nlh-1", 7) },
    ],
    [
      { owner: "b", objects: [], shared: shared("nlh-2", 7) },
      { owner: "a", objects: [], shared: shared("nlh-2", 7) },
    ],
  ],
];

for (const [title, before, after] of rows)
  test(`room is made where ${title}`, async () => {
    const { kernel } = simulated();
    const reconciler = new Reconciler(kernel);
    await bring(reconciler, before);
    await bring(reconciler, after);
    await isThere(kernel, after);
  });

test("a plan that makes room keeps its members and its objects on a shared device", async () => {
  const { kernel, done } = simulated();
  const reconciler = new Reconciler(kernel);
  const staying: Plan = {
    owner: "a",
    shared: shared("nlh-1", 1),
    objects: [own("a", 2), neighbor("nlh-1", 1)],
    members: new Map([["m", [neighbor("a-2", 2)]]]),
  };
  await bring(reconciler, [{ ...staying, objects: [...staying.objects, own("a", 7)] }]);
  done.length = 0;
  const after = [staying, { owner: "b", objects: [own("b", 7)] }];
  await bring(reconciler, after);
  assert.deepEqual(
    done.map(({ verb, object }) => [verb, object.kind]),
    [
      ["remove", "vxlan"],
      ["add", "vxlan"],
    ],
  );
  await isThere(kernel, after);
});

test("an object that another plan still shares stays, and a plan that wants its VNI is refused", async () => {
  const { kernel } = simulated();
  const reconciler = new Reconciler(kernel);
  const other: Plan = { owner: "b", objects: [], shared: shared("nlh-1", 7) };
  await bring(reconciler, [{ owner: "a", objects: [], shared: shared("nlh-1", 7) }, other]);
  const plans: Plan[] = [{ owner: "a", objects: [own("a", 7)] }];
  await reconciler.makeRoom(plans);
  await assert.rejects(reconciler.apply({ owner: "a", objects: [own("a", 7)] }), { code: "ALREADY_EXISTS" });
  await isThere(kernel, [other]);
});

/** The holder of each of three VNIs: nobody, a plan, or a shared device with the plans that share it. */
const drawing = fc.array(
  fc.record({ holder: fc.nat(4), sharers: fc.uniqueArray(fc.nat(3), { minLength: 1, maxLength: 3 }) }),
  { minLength: 3, maxLength: 3 },
);

function plansOf(vnis: readonly { readonly holder: number; readonly sharers: readonly number[] }[]): Plan[] {
  return [0, 1, 2, 3].map((number) => {
    const owner = `p${number}`;
    const held = vnis.flatMap(({ holder, sharers }, vni) =>
      holder < 2 && sharers.includes(number) ? shared(`nlh-${vni}${holder}`, vni + 1) : [],
    );
    const objects = vnis.flatMap(({ holder, sharers }, vni) =>
      holder >= 2 && sharers[0] === number ? [own(owner, vni + 1)] : [],
    );
    return { owner, objects, shared: held };
  });
}

test("any plans become any others in one go, whoever shared their objects before", async () => {
  await fc.assert(
    fc.asyncProperty(drawing, drawing, fc.boolean(), async (first, second, isRestarted) => {
      const { kernel } = simulated();
      let reconciler = new Reconciler(kernel);
      await bring(reconciler, plansOf(first));
      if (isRestarted) {
        reconciler = new Reconciler(kernel);
        await reconciler.adopt(["host"]);
      }
      await bring(reconciler, plansOf(second));
      await reconciler.sweep();
      await isThere(kernel, plansOf(second));
    }),
    { numRuns: 150 },
  );
});
