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
import { AgentMesh, WEB } from "../../fixtures/roles/agent.ts";

const OPTIONS = { timeoutMs: 30_000 };
const REF = { kind: "NetworkServiceClient", name: "web-db" } as const;

async function told(mesh: AgentMesh) {
  const role = mesh.agent("alpha");
  const hop = hopTo(serveAll(role.served), role.world);
  const [status, { events }] = await Promise.all([
    call(hop, AdminApi.method.status, create(StatusRequestSchema), OPTIONS),
    call(hop, AdminApi.method.events, create(EventsRequestSchema, REF), OPTIONS),
  ]);
  const found = status.attachments.find(({ ref }) => ref?.name === REF.name);
  return {
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
