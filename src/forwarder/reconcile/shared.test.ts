/** Plans with shared objects come and go concurrently, and an object goes with its last holder. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Kernel, KernelObject } from "../../kernel/kernel.ts";
import { hostAlias, type Plan } from "../../kernel/plan.ts";
import { SimMachine } from "../../sim/kernel/kernel.ts";
import { VirtualClock } from "../../../e2e/virtual-clock.ts";
import { Reconciler } from "./reconcile.ts";

const NUMBERS = [1, 2, 3, 4, 5, 6, 7, 8];
const SHARED = "nlx-shared";

function tunnel(name: string, alias: string, vni: number): KernelObject {
  const mac = `02:00:00:00:00:0${vni}`;
  const ways = { local: "10.8.0.1", remote: "10.8.0.2", port: 4789 };
  return { kind: "vxlan", netns: "host", name, mac, mtuBytes: 1400, alias, vni, ...ways };
}

const shared: readonly KernelObject[] = [
  tunnel(SHARED, hostAlias(SHARED), 9),
  { kind: "up", netns: "host", link: SHARED },
];

const plans = NUMBERS.map((n): Plan => ({
  owner: `p${n}`,
  shared,
  objects: [tunnel(`own-${n}`, `server-p${n}`, n), { kind: "up", netns: "host", link: `own-${n}` }],
}));

/** A kernel whose batches end only after all concurrent calls have begun. */
class Scene {
  readonly #sim = new SimMachine({ clock: new VirtualClock() }).kernel();
  readonly reconciler: Reconciler;
  #running = 0;
  /** The most batches at one time. */
  most = 0;

  constructor() {
    const kernel = new Proxy(this.#sim, {
      get: (sim, name: keyof Kernel) =>
        name === "apply" ? this.#apply : (sim[name] as () => unknown).bind(sim),
    });
    this.reconciler = new Reconciler(kernel);
  }

  readonly #apply: Kernel["apply"] = async (batch) => {
    this.most = Math.max(this.most, ++this.#running);
    for (let turn = 0; turn < 100; turn++) await Promise.resolve();
    try {
      return await this.#sim.apply(batch);
    } finally {
      this.#running -= 1;
    }
  };

  async names(): Promise<string[]> {
    const found = await this.#sim.observe([{ netns: "host" }]);
    return found.flatMap((object) => (object.kind === "vxlan" ? [object.name] : [])).sort();
  }

  /** Removes the shared device as a stranger would. */
  async takeSharedAway(): Promise<void> {
    await this.#sim.apply(shared.slice(0, 1).map((object) => ({ verb: "remove", object })));
  }
}

test("a plan that gives up what others hold waits for nobody, and the last one removes it", async () => {
  const scene = new Scene();
  const { reconciler } = scene;
  await Promise.all(plans.map((plan) => reconciler.apply(plan)));
  scene.most = 0;
  const [last, ...others] = plans;
  assert.ok(last);
  await Promise.all(others.map(({ owner }) => reconciler.remove(owner)));
  assert.equal(scene.most, others.length);
  assert.deepEqual(await scene.names(), [SHARED, "own-1"].sort());
  await reconciler.remove(last.owner);
  assert.deepEqual(await scene.names(), []);
});

test("a shared object that all give up at once is removed, and is made again with the next plan", async () => {
  const scene = new Scene();
  const { reconciler } = scene;
  for (const round of [1, 2]) {
    await Promise.all(plans.map((plan) => reconciler.apply(plan)));
    assert.equal((await scene.names()).length, plans.length + 1, `round ${round}`);
    await Promise.all(plans.map(({ owner }) => reconciler.remove(owner)));
    assert.deepEqual(await scene.names(), [], `round ${round}`);
  }
});

test("a shared object that some give up while others come stays for those", async () => {
  const scene = new Scene();
  const { reconciler } = scene;
  const [some, others] = [plans.slice(0, 4), plans.slice(4)];
  await Promise.all(some.map((plan) => reconciler.apply(plan)));
  await Promise.all([
    ...some.map(({ owner }) => reconciler.remove(owner)),
    ...others.map((plan) => reconciler.apply(plan)),
  ]);
  assert.deepEqual(
    await scene.names(),
    [SHARED, ...others.map(({ owner }) => owner.replace("p", "own-"))].sort(),
  );
});

test("a shared object that somebody removed comes back for all plans that ask again at once", async () => {
  const scene = new Scene();
  const { reconciler } = scene;
  await Promise.all(plans.map((plan) => reconciler.apply(plan)));
  await scene.takeSharedAway();
  await Promise.all(plans.map((plan) => reconciler.apply(plan)));
  assert.equal((await scene.names()).length, plans.length + 1);
});
