/** A spec that an agent cannot fulfil: it reports why, changes nothing else, and fulfils the spec when it can. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import type { NetloomError } from "../errors/errors.ts";
import { edited } from "../../fixtures/documents/documents.ts";
import { AgentMesh, read, WEB } from "../../fixtures/roles/agent.ts";

const SERVICE = `
apiVersion: networkservicemesh.io/v1
kind: NetworkService
metadata: { name: db }
spec:
  matches:
    - { source_selector: { tier: gold }, routes: [{ destination_selector: { disk: fast } }] }
`;
const DB = `
apiVersion: netloom.dev/v1alpha1
kind: NetworkServiceProvider
metadata: { name: db, labels: { disk: fast } }
spec:
  workload: { lab: lab/beta/b1 }
  services: [db]
  pools: [10.0.2.0/31]
`;
const REF = { kind: "NetworkServiceClient", name: "web-db" } as const;

suite("an agent that cannot", () => {
  test("find an endpoint for a client's labels reports it, leaves nothing, and connects the client after its labels change", async () => {
    const mesh = new AgentMesh();
    await mesh.run(async () => {
      await mesh.sleep(100);
      await mesh.apply("beta", `${SERVICE}---${DB}`);
      const { attachments } = mesh.agent("alpha");
      await attachments.apply(read(WEB));
      await mesh.sleep(5_000);
      const { state, error } = attachments.find(REF)?.view ?? {};
      assert.deepEqual([state, error?.code, error?.topic], ["failed", "NOT_FOUND", "NL-303"]);
      await mesh.holdsNothing();
      await mesh.apply("alpha", edited(WEB, { labels: { tier: "gold" } }));
      mesh.reaches(["alpha", "a1"], ["beta", "b1"], "web-db");
    });
  });

  test("get an address from an exhausted pool waits until one is free", async () => {
    const mesh = new AgentMesh();
    await mesh.run(async () => {
      await mesh.sleep(100);
      await mesh.apply("beta", DB);
      await mesh.apply("alpha", WEB.replace("web-db", "first").replace("alpha/a1", "alpha/a2"));
      const { attachments, wires } = mesh.agent("alpha");
      await attachments.apply(read(WEB));
      await mesh.sleep(5_000);
      assert.match(attachments.find(REF)?.view.error?.message ?? "", /10\.0\.2\.0\/31/);
      assert.equal(wires.made.size, 1);
      await attachments.delete([{ kind: "NetworkServiceClient", name: "first" }]);
      await mesh.sleep(12_000);
      mesh.reaches(["alpha", "a1"], ["beta", "b1"], "web-db");
    });
  });

  test("write to its disk refuses the change with the reason, changes nothing, and accepts it when there is room", async () => {
    const writes = Array.from({ length: 30 }, (_, n) => n);
    const mesh = new AgentMesh({
      faults: writes.map((n) => ({ kind: "disk", host: "alpha", n, how: "full" })),
    });
    await mesh.run(async () => {
      await mesh.sleep(100);
      await mesh.apply("beta", DB);
      const { attachments } = mesh.agent("alpha");
      await assert.rejects(attachments.apply(read(WEB)), (error: NetloomError) => {
        assert.deepEqual([error.code, /disk/.test(error.message)], ["RESOURCE_EXHAUSTED", true]);
        return true;
      });
      assert.deepEqual(attachments.all(), []);
      await mesh.holdsNothing();
      for (let isTaken = false; !isTaken;) {
        isTaken = await attachments.apply(read(WEB)).then(
          () => true,
          () => false,
        );
      }
      await mesh.sleep(2_000);
      mesh.reaches(["alpha", "a1"], ["beta", "b1"], "web-db");
    });
  });
});
