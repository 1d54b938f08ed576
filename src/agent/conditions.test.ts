/** Generations, conditions and events of attachments in the admin service. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import {
  Agent as AdminApi,
  EventsRequestSchema,
  StatusRequestSchema,
} from "../api/gen/netloom/admin/v1/admin_pb.js";
import { call, serveAll } from "../api/rpc.ts";
import { hopTo } from "../registry/hop-to.ts";
import { edited } from "../../fixtures/documents/documents.ts";
import { AgentMesh, type HostName, WEB } from "../../fixtures/roles/agent.ts";
import type { Ref } from "../attachments/spec.ts";

const OPTIONS = { timeoutMs: 30_000 };
const REF = { kind: "NetworkServiceClient", name: "web-db" } as const;

async function told(mesh: AgentMesh, { host = "alpha", ref = REF }: { host?: HostName; ref?: Ref } = {}) {
  const role = mesh.agent(host);
  const hop = hopTo(serveAll(role.served), role.world);
  const [status, { events }] = await Promise.all([
    call(hop, AdminApi.method.status, create(StatusRequestSchema), OPTIONS),
    call(hop, AdminApi.method.events, create(EventsRequestSchema, ref), OPTIONS),
  ]);
  const found = status.attachments.find(({ ref: each }) => each?.name === ref.name);
  const wire = status.wires.find(({ attachments }) => attachments.some(({ name }) => name === ref.name));
  return {
    wire: `${wire?.reachable?.status} ${wire?.reachable?.message}`,
    generations: [Number(found?.generation), Number(found?.observedGeneration)],
    conditions: found?.conditions.map(({ type, status: is, reason }) => `${type}=${is} ${reason}`) ?? [],
    events: events.map(({ reason, isWarning, count }) =>
      [isWarning ? "!" : "", reason, count > 1 ? ` ×${count}` : ""].join(""),
    ),
  };
}

suite("a client", () => {
  test("is ready when it is up, and its conditions name the generation of the document", async () => {
    const mesh = new AgentMesh();
    await mesh.runWithWire(async () => {
      const first = await told(mesh);
      assert.deepEqual(first.generations, [1, 1]);
      assert.deepEqual(first.conditions, [
        "Ready=True Up",
        "Programmed=True Programmed",
        "Reachable=Unknown NotProven",
        "Healing=False Up",
      ]);
      assert.deepEqual(first.events, ["Added", "Waiting", "Requesting", "Up"]);
      await mesh.apply("alpha", edited(WEB, { spec: { mtu: 1400 } }));
      await mesh.apply("alpha", edited(WEB, { spec: { mtu: 1400 } }));
      const second = await told(mesh);
      assert.deepEqual(second.generations, [2, 2]);
      assert.deepEqual(second.events.slice(4), ["Changed", "Closing", "Waiting", "Requesting", "Up"]);
    });
  });

  test("keeps its generation over a restart of the agent", async () => {
    const mesh = new AgentMesh();
    await mesh.runWithWire(async () => {
      await mesh.apply("alpha", edited(WEB, { spec: { mtu: 1400 } }));
      await mesh.restart("alpha");
      assert.deepEqual((await told(mesh)).generations, [2, 2]);
    });
  });

  test("heals with a reason, and stays programmed meanwhile; tries that fail alike are one event", async () => {
    const mesh = new AgentMesh({ leaseMs: 20_000 });
    await mesh.runWithWire(async () => {
      mesh.simulation.crash("beta");
      await mesh.sleep(60_000);
      const { conditions, events } = await told(mesh);
      assert.deepEqual(conditions, [
        "Ready=False EndpointNotFound",
        "Programmed=True Programmed",
        "Reachable=Unknown NotProven",
        "Healing=True Lost",
      ]);
      assert.match(events.at(-1) ?? "", /^!Healing ×\d+$/);
      mesh.simulation.restart("beta");
      await mesh.sleep(20_000);
      assert.equal((await told(mesh)).events.at(-1), "Up");
    });
  });
});

suite("a wire within a host", () => {
  const OWN = edited(WEB, { name: "own", spec: { workload: { lab: "lab/beta/b2" } } });
  const asked = { host: "beta", ref: { kind: REF.kind, name: "own" } } as const;

  test("is reachable while the kernel has both ends up, and not while one is gone or down", async () => {
    const mesh = new AgentMesh();
    await mesh.runWithWire(async () => {
      await mesh.apply("beta", OWN);
      await mesh.sleep(1000);
      const whole = "Reachable=True BothEndsUp";
      assert.equal((await told(mesh, asked)).conditions[2], whole);
      const client = mesh.netnsOf("beta", "b2");
      const changes = [
        ["True ", "False the device to-db is gone", () => mesh.machine.removeDevice(client, "to-db")],
        ["True ", "False the address 10.0.2.", () => mesh.machine.flush(client, "to-db", "addresses")],
        [
          "True ",
          "Unknown the device to-db was changed",
          () => mesh.machine.changeDevice(client, "to-db", { mtuBytes: 1300 }),
        ],
      ] as const;
      for (const [before, after, change] of changes) {
        assert.equal((await told(mesh, asked)).wire, before);
        change();
        await mesh.sleep(10);
        const { wire, conditions } = await told(mesh, asked);
        assert.ok(wire.startsWith(after), wire);
        assert.equal(conditions[2], `Reachable=${after.split(" ")[0]} Changed`);
        assert.equal(conditions[0], "Ready=True Up");
        await mesh.sleep(1000);
        assert.equal((await told(mesh, asked)).conditions[2], whole);
      }
      assert.deepEqual((await told(mesh, asked)).events.slice(-6), [
        "!Unreachable",
        "Reachable",
        "!Unreachable",
        "Reachable",
        "Changed",
        "Reachable",
      ]);
    });
  });

  test("is not reachable after its endpoint's workload has ended", async () => {
    const mesh = new AgentMesh();
    await mesh.runWithWire(async () => {
      await mesh.apply("beta", OWN);
      await mesh.sleep(1000);
      mesh.removeWorkload("beta", "b1");
      // The kernel reports the end of a namespace after a moment.
      await mesh.sleep(30);
      for (let n = 0; n < 20; n++) {
        const { conditions, wire, events } = await told(mesh, asked);
        assert.match(conditions[2] ?? "", /^Reachable=False /);
        assert.doesNotMatch(wire, /^True/);
        assert.deepEqual(events.slice(3, 5), ["Up", "!Unreachable"]);
        assert.ok(!events.includes("Reachable"), events.join());
        await mesh.sleep(10);
      }
    });
  });
});
