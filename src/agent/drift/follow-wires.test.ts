/** Repairs of wires that others change, in the simulator, where time is exact. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { Agent as AdminApi, StatusRequestSchema } from "../../api/gen/netloom/admin/v1/admin_pb.js";
import { call, serveAll } from "../../api/rpc.ts";
import { type Watch, watchOf } from "../../async/watch.ts";
import type { Kernel, KernelEvent, KernelObject, Netns } from "../../kernel/kernel.ts";
import { SimKernel } from "../../sim/kernel/carrier.ts";
import { hopTo } from "../../registry/hop-to.ts";
import { lineLog } from "../../observe/log.ts";
import { AgentMesh, WEB } from "../../../fixtures/roles/agent.ts";
import { toldWire } from "../../view/told-wire.ts";

const ALPHA: Netns = "file:///run/netns/nl-lab-alpha";

/** A watch without events. */
function silence(): Watch<KernelEvent> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  return watchOf<KernelEvent>({
    take: () => promise,
    close: () => resolve(undefined),
  });
}

class Scene {
  /** Whether the kernel reports no events about wires. */
  readonly #isDeaf: boolean;
  readonly lines: string[] = [];
  /** The number of queries for the devices of a wire. */
  looks = 0;
  readonly mesh: AgentMesh;
  readonly web: Netns;

  constructor({ isDeaf = false } = {}) {
    this.#isDeaf = isDeaf;
    this.mesh = new AgentMesh({
      log: lineLog((line) => this.lines.push(line)),
      wrap: (world) => ({ ...world, kernel: this.#counted(world.kernel) }),
    });
    this.web = this.mesh.netnsOf("alpha", "a1");
  }

  async run(body: () => Promise<void>): Promise<void> {
    await this.mesh.runWithWire(body);
  }

  #counted(kernel: Kernel): Kernel {
    return {
      apply: (batch, options) => kernel.apply(batch, options),
      observe: (queries) => {
        if (queries.some(({ links }) => links)) this.looks += 1;
        return kernel.observe(queries);
      },
      nativeNetworks: (queries) => kernel.nativeNetworks(queries),
      counters: (queries) => kernel.counters(queries),
      devices: (queries) => kernel.devices(queries),
      ways: (queries) => kernel.ways(queries),
      addresses: (queries) => kernel.addresses(queries),
      drops: () => kernel.drops(),
      resolve: (netns) => kernel.resolve(netns),
      watch: (purpose) => (purpose === "everything" && this.#isDeaf ? silence() : kernel.watch(purpose)),
      settle: () => kernel.settle(),
    };
  }

  async ours(): Promise<string[]> {
    const found = await this.mesh.simulation
      .kernel("alpha")
      .observe([{ netns: "host" }, { netns: this.web }]);
    return found.map((object: KernelObject) => JSON.stringify(object)).sort();
  }

  /** The repairs of the one wire in the status. */
  async putRight() {
    const role = this.mesh.agent("alpha");
    const hop = hopTo(serveAll(role.served), role.world);
    const status = await call(hop, AdminApi.method.status, create(StatusRequestSchema), { timeoutMs: 1_000 });
    return status.wires.map((wire) => toldWire([{ host: "alpha", wire }]))[0]?.putRight;
  }

  said(words: string): number {
    return this.lines.filter((line) => line.includes(words)).length;
  }
}

test("a wire is repaired within a second, and the repair is counted, shown, and logged once for each sort of change", async () => {
  const scene = new Scene();
  await scene.run(async () => {
    const { mesh, web } = scene;
    const before = await scene.ours();
    assert.equal(await scene.putRight(), undefined);
    for (const _ of [1, 2]) {
      mesh.machine.changeDevice(web, "to-db", { mtuBytes: 1300 });
      await mesh.sleep(1_000);
      assert.deepEqual(await scene.ours(), before);
    }
    mesh.machine.flush(web, "to-db", "addresses");
    await mesh.sleep(1_000);
    assert.deepEqual(await scene.ours(), before);
    mesh.reaches(["alpha", "a1"], ["beta", "b1"], "web-db");
    const told = await scene.putRight();
    assert.equal(told?.count, 3);
    assert.ok(scene.looks > 0);
    assert.match(told.last, /^alpha: add address 10\.0\.2\.\d+\/32/);
    assert.equal(scene.said("it is repaired"), 2, scene.lines.join("\n"));
  });
});

test("a wire that nobody changes is not checked, also while other wires are made and changed", async () => {
  const scene = new Scene();
  await scene.run(async () => {
    const { mesh } = scene;
    await mesh.sleep(1_000);
    assert.equal(await scene.putRight(), undefined);
    mesh.machine.plantCable([
      { netns: scene.web, name: "theirs", addresses: ["192.0.2.1/24"] },
      { netns: ALPHA, name: "theirs" },
    ]);
    mesh.machine.changeDevice(scene.web, "theirs", { mtuBytes: 1300 });
    mesh.machine.removeDevice(scene.web, "theirs");
    await mesh.apply(
      "alpha",
      WEB.replace("web-db", "other-db").replace("interface: to-db", "interface: also-db"),
    );
    await mesh.sleep(5_000);
    await mesh.agent("alpha").attachments.delete([{ kind: "NetworkServiceClient", name: "other-db" }]);
    await mesh.sleep(5_000);
    assert.equal(scene.looks, 0);
    await mesh.sleep(60_000);
    assert.equal(await scene.putRight(), undefined);
    assert.equal(scene.said("repaired"), 0);
  });
});

test("a change without an event is found by the next full check", async () => {
  const scene = new Scene({ isDeaf: true });
  await scene.run(async () => {
    const { mesh, web } = scene;
    const before = await scene.ours();
    mesh.machine.changeDevice(web, "to-db", { mtuBytes: 1300 });
    await mesh.sleep(5_000);
    assert.notDeepEqual(await scene.ours(), before);
    await mesh.sleep(31_000);
    assert.deepEqual(await scene.ours(), before);
  });
});

test("after lost notifications everything is checked at once", async () => {
  const scene = new Scene();
  await scene.run(async () => {
    const { mesh, web } = scene;
    const before = await scene.ours();
    await mesh.sleep(1_000);
    const kernel = mesh.simulation.kernel("alpha");
    assert.ok(kernel instanceof SimKernel);
    mesh.machine.changeDevice(web, "to-db", { mtuBytes: 1300 });
    kernel.loseNotifications();
    await mesh.sleep(1_000);
    assert.deepEqual(await scene.ours(), before);
    mesh.machine.changeDevice(web, "to-db", { name: "stolen" });
    kernel.loseNotifications();
    await mesh.sleep(1_000);
    assert.deepEqual(await scene.ours(), before);
  });
});

test("a wire that another program changes each time is repaired once in a while only, and that is logged once", async () => {
  const scene = new Scene();
  await scene.run(async () => {
    const { mesh, web } = scene;
    for (let n = 0; n < 1_200; n++) {
      mesh.machine.changeDevice(web, "to-db", { mtuBytes: 1300 });
      await mesh.sleep(100);
    }
    const told = await scene.putRight();
    // Expected in two minutes: 30 repairs at once, and 12 more.
    assert.ok(told && told.count >= 30 && told.count <= 43, String(told?.count));
    assert.equal(scene.said("another program changes a wire"), 1);
    await mesh.sleep(20_000);
    const [device] = await mesh.simulation.kernel("alpha").devices([{ netns: web, link: "to-db" }]);
    assert.notEqual(device?.mtuBytes, 1300);
  });
});

test("a failed repair is tried again and shown in the status until it succeeds or the wire is gone", async () => {
  const scene = new Scene();
  await scene.run(async () => {
    const { mesh, web } = scene;
    const before = await scene.ours();
    const retries = () =>
      mesh
        .agent("alpha")
        .world.retries.list()
        .map(({ what }) => what);
    mesh.machine.changeDevice(web, "to-db", { name: "stolen" });
    mesh.machine.plantUplink({ netns: web, name: "to-db", addresses: [] });
    await mesh.sleep(5_000);
    assert.match(retries().join(), /repair wire /);
    mesh.machine.changeDevice(web, "to-db", { name: "theirs" });
    await mesh.sleep(30_000);
    assert.deepEqual(retries(), []);
    assert.deepEqual(await scene.ours(), before);
  });
});

test("a wire that was deleted meanwhile is not repaired", async () => {
  const scene = new Scene();
  await scene.run(async () => {
    const { mesh, web } = scene;
    mesh.machine.changeDevice(web, "to-db", { mtuBytes: 1300 });
    await mesh.agent("alpha").attachments.delete([{ kind: "NetworkServiceClient", name: "web-db" }]);
    await mesh.sleep(10_000);
    assert.deepEqual(await scene.ours(), []);
  });
});
