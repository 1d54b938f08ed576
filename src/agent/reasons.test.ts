/** A reason travels from the failing host to the client's agent: alpha (client) → gamma → beta (endpoint). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type DescMethodUnary, type MessageInitShape, type MessageShape } from "@bufbuild/protobuf";
import { Agent } from "../api/gen/netloom/admin/v1/admin_pb.js";
import { call, serveAll } from "../api/rpc.ts";
import { reason } from "../errors/reasons.ts";
import { hopTo } from "../registry/hop-to.ts";
import { attachmentView } from "../view/attachment-view.ts";
import { edited } from "../../fixtures/documents/documents.ts";
import { AgentMesh, DB, read, WEB } from "../../fixtures/roles/agent.ts";

async function ask<M extends DescMethodUnary>(
  mesh: AgentMesh,
  method: M,
  request: MessageInitShape<M["input"]>,
): Promise<MessageShape<M["output"]>> {
  const { served, world } = mesh.agent("alpha");
  const hop = hopTo(serveAll(served), world);
  return (await call(hop, method, create(method.input, request), { timeoutMs: 1_000 })) as MessageShape<
    M["output"]
  >;
}

const FULL = reason("NO_FREE_ADDRESS", { endpoint: "db.beta", pools: "10.0.2.0/31" });

test("a reason from a far host arrives over a third host with its fields, in the status and in `why`", async () => {
  const mesh = new AgentMesh({ hosts: ["alpha", "beta", "gamma"] });
  await mesh.run(async () => {
    await mesh.sleep(1_000);
    await mesh.apply("beta", DB.replace("10.0.2.0/24", "10.0.2.0/31"));
    await mesh.apply("alpha", edited(WEB, { name: "first", spec: { workload: { lab: "lab/alpha/a2" } } }));
    await mesh.agent("alpha").attachments.apply(read(edited(WEB, { spec: { via: ["gamma"] } })));
    await mesh.sleep(5_000);

    const { attachments } = await ask(mesh, Agent.method.status, {});
    const failed =
      attachments.find(({ ref }) => ref?.name === "web-db") ?? assert.fail("no attachment web-db");
    const { state, topic, cause } = attachmentView("alpha", failed);
    assert.deepEqual([state, topic, cause], ["failed", "NL-501", FULL]);

    const why = await ask(mesh, Agent.method.why, { client: "web-db" });
    const [asked] = why.last?.failed ?? [];
    assert.deepEqual(
      [asked?.endpoint, asked?.code, asked?.cause?.name, asked?.cause?.fields],
      ["db.beta", "RESOURCE_EXHAUSTED", FULL.name, FULL.fields],
    );

    const unknown = await ask(mesh, Agent.method.why, { service: "bank" });
    assert.deepEqual(
      [unknown.cause?.name, unknown.cause?.fields],
      ["SERVICE_NOT_FOUND", { service: "bank" }],
    );
  });
});
