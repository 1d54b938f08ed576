/** A state shows only proven facts, with the last reason. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import {
  Agent as AdminApi,
  AttachmentStatus_State,
  StatusRequestSchema,
  WhyRequestSchema,
  Wire_State,
} from "../api/gen/netloom/admin/v1/admin_pb.js";
import { NetworkServiceRequestSchema } from "../api/gen/nsm/networkservice_pb.js";
import { call, serveAll } from "../api/rpc.ts";
import { hopTo } from "../registry/hop-to.ts";
import { AgentMesh, read, WEB, type HostName } from "../../fixtures/roles/agent.ts";
import { StrangeEndpoint } from "../../fixtures/roles/strange-endpoint.ts";
import { peerNamed } from "../../fixtures/world/peer.ts";

const REF = { kind: "NetworkServiceClient", name: "web-db" } as const;
const OPTIONS = { timeoutMs: 30_000 };

async function statusOf(mesh: AgentMesh, host: HostName) {
  const role = mesh.agent(host);
  const hop = hopTo(serveAll(role.served), role.world);
  return await call(hop, AdminApi.method.status, create(StatusRequestSchema), OPTIONS);
}

suite("a client whose endpoint is gone", () => {
  test("heals with the reason of the last try, not of the first, and is up without a reason afterwards", async () => {
    const mesh = new AgentMesh({ leaseMs: 20_000 });
    await mesh.runWithWire(async () => {
      const view = () => mesh.agent("alpha").attachments.find(REF)?.view;
      mesh.simulation.crash("beta");
      await mesh.sleep(5_000);
      const [first] = (await statusOf(mesh, "alpha")).attachments;
      assert.equal(first?.state, AttachmentStatus_State.HEALING);
      await mesh.sleep(60_000);
      const [last] = (await statusOf(mesh, "alpha")).attachments;
      assert.equal(last?.state, AttachmentStatus_State.HEALING);
      assert.match(last.reason, /^network service endpoint db\.beta not found$/);
      assert.notEqual(last.reason, first.reason);
      assert.deepEqual([last.code, last.topic, last.attempts > 2], ["NOT_FOUND", "NL-303", true]);
      mesh.simulation.restart("beta");
      await mesh.sleep(20_000);
      assert.deepEqual([view()?.state, view()?.reason, view()?.attempts], ["up", "", 0]);
    });
  });

  test("is not up while its refreshes fail, even without news of a loss", async () => {
    const endpoint = new StrangeEndpoint({ watchable: false });
    const mesh = new AgentMesh({ beside: (role) => endpoint.serve(role) });
    await mesh.run(async () => {
      await mesh.sleep(500);
      await mesh.apply("alpha", WEB);
      endpoint.refusal = "its disk is full";
      await mesh.sleep(600_000);
      const view = mesh.agent("alpha").attachments.find(REF)?.view;
      assert.deepEqual([view?.state, view?.error?.code], ["healing", "UNAVAILABLE"]);
      assert.match(view?.reason ?? "", /its disk is full/);
      endpoint.refusal = undefined;
      await mesh.sleep(20_000);
      assert.equal(mesh.agent("alpha").attachments.find(REF)?.view.state, "up");
    });
  });
});

test("another program's wire is down, with the last reason, while its endpoint does not answer the client", async () => {
  const endpoint = new StrangeEndpoint();
  const mesh = new AgentMesh({ beside: (role) => endpoint.serve(role) });
  await mesh.run(async () => {
    await mesh.sleep(500);
    const { manager, world } = mesh.agent("alpha");
    const ask = async () => {
      const request = create(NetworkServiceRequestSchema, {
        connection: {
          id: "c1",
          networkService: "db",
          path: { pathSegments: [{ name: "client", id: "c1" }] },
        },
        mechanismPreferences: [
          {
            cls: "LOCAL",
            type: "KERNEL",
            parameters: { inodeURL: mesh.netnsOf("alpha", "a1"), name: "nsm-1" },
          },
        ],
      });
      const peer = peerNamed("unix:1000");
      const deadlineMs = world.clock.monotonicMs() + 5_000;
      return await manager.request({ scope: world.scope, deadlineMs, peer }, request);
    };
    await ask();
    const wire = async () => (await statusOf(mesh, "alpha")).wires[0];
    assert.equal((await wire())?.state, Wire_State.UP);
    for (const reason of ["its disk is full", "it has no time"]) {
      endpoint.refusal = reason;
      await assert.rejects(ask());
      const { state, reason: said = "" } = (await wire()) ?? {};
      assert.equal(state, Wire_State.DOWN);
      assert.match(said, new RegExp(reason));
    }
    endpoint.refusal = undefined;
    await ask();
    assert.deepEqual([(await wire())?.state, (await wire())?.reason], [Wire_State.UP, ""]);
  });
});

suite("in the middle of an attempt", () => {
  test("a client shows what it waits for, later the result of the last try, and `why` shows the same", async () => {
    const endpoint = new StrangeEndpoint();
    endpoint.delayMs = 10_000;
    const mesh = new AgentMesh({ beside: (role) => endpoint.serve(role) });
    await mesh.run(async () => {
      await mesh.sleep(500);
      const { attachments, world, served } = mesh.agent("alpha");
      await attachments.apply(read(WEB));
      await mesh.sleep(1_000);
      const why = async () => {
        const request = create(WhyRequestSchema, { client: "web-db", service: "db" });
        return await call(hopTo(serveAll(served), world), AdminApi.method.why, request, OPTIONS);
      };
      const first = await why();
      assert.equal(first.attachment?.state, AttachmentStatus_State.REQUESTING);
      assert.equal(first.attachment.reason, "it requests db; no answer yet");
      assert.deepEqual([first.last?.asking, first.last?.failed], ["strange", []]);
      endpoint.refusal = "its disk is full";
      await mesh.sleep(10_000);
      const second = await why();
      assert.equal(second.attachment?.state, AttachmentStatus_State.REQUESTING);
      assert.match(second.attachment.reason, /its disk is full/);
      assert.equal(second.attachment.code, "UNAVAILABLE");
    });
  });
});
