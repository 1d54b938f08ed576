/** An error names the cause of a failed attachment in the user's words: workload, pool, document. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { NetworkServiceRequestSchema } from "../api/gen/nsm/networkservice_pb.js";
import { edited } from "../../fixtures/documents/documents.ts";
import { AgentMesh, DB, read, WEB } from "../../fixtures/roles/agent.ts";
import { peerNamed } from "../../fixtures/world/peer.ts";

const REF = { kind: "NetworkServiceClient", name: "web-db" } as const;

async function withMesh(body: (mesh: AgentMesh) => Promise<void>): Promise<void> {
  const mesh = new AgentMesh();
  await mesh.run(async () => {
    await mesh.sleep(100);
    await body(mesh);
  });
}

async function failureOf(mesh: AgentMesh, text: string) {
  const { attachments } = mesh.agent("alpha");
  await attachments.apply(read(text));
  await mesh.sleep(5_000);
  const { state, error } = attachments.find(REF)?.view ?? {};
  assert.equal(state, "failed");
  return error ?? assert.fail("no error");
}

/** Sends the request of another program's client in a1. */
async function ask(
  mesh: AgentMesh,
  { name, payload = "" }: { readonly name: string; readonly payload?: string },
): Promise<void> {
  const { manager, world } = mesh.agent("alpha");
  const request = create(NetworkServiceRequestSchema, {
    connection: {
      id: "c1",
      networkService: "db",
      payload,
      path: { pathSegments: [{ name: "client", id: "c1" }] },
    },
    mechanismPreferences: [
      { cls: "LOCAL", type: "KERNEL", parameters: { inodeURL: mesh.netnsOf("alpha", "a1"), name } },
    ],
  });
  const deadlineMs = world.clock.monotonicMs() + 5_000;
  const peer = peerNamed("unix:1000");
  await manager.request({ scope: world.scope, deadlineMs, peer }, request);
}

/** Checks that the text has no internal names. */
function isPlain(text: string): void {
  assert.doesNotMatch(text, /inode:\/\/|file:\/\/|\["|all candidates/);
}

suite("an error", () => {
  test("at the client's own device names the workload, and no endpoint", async () => {
    await withMesh(async (mesh) => {
      await mesh.apply("beta", DB);
      await ask(mesh, { name: "to-db" });
      const error = await failureOf(mesh, WEB);
      assert.deepEqual([error.code, error.topic], ["ALREADY_EXISTS", "NL-401"]);
      assert.match(
        error.message,
        /^connect alpha\/a1 to db\.beta: .*to-db in workload alpha\/a1 .*EEXIST: device to-db exists/,
      );
      assert.match(error.hint ?? "", /the interface to-db in workload alpha\/a1 belongs to wire/);
      isPlain(error.message);
    });
  });

  test("for want of addresses names the pool, its endpoint and the client", async () => {
    await withMesh(async (mesh) => {
      await mesh.apply("beta", DB.replace("10.0.2.0/24", "10.0.2.0/31"));
      await mesh.apply("alpha", WEB.replace("web-db", "first").replace("alpha/a1", "alpha/a2"));
      const error = await failureOf(mesh, WEB);
      assert.deepEqual([error.code, error.topic], ["RESOURCE_EXHAUSTED", "NL-501"]);
      assert.match(
        error.message,
        /give alpha\/a1 a pair of addresses of db\.beta: its pool 10\.0\.2\.0\/31 has no room left/,
      );
      assert.doesNotMatch(error.message, /\["/);
    });
  });

  test("about the MTU that the client requests names the client", async () => {
    await withMesh(async (mesh) => {
      await mesh.apply("alpha", DB.replace("10.0.2.0/24", '"fd00:2::/64"').replace("beta/b1", "alpha/a2"));
      const error = await failureOf(mesh, edited(WEB, { spec: { mtu: 1000 } }));
      assert.deepEqual([error.code, error.topic], ["INVALID_ARGUMENT", "NL-410"]);
      assert.match(error.message, /^connect alpha\/a1 to db\.alpha: The wire's MTU would be 1000/);
      assert.match(error.hint ?? "", /^alpha\/a1 requests an MTU of 1000 bytes/);
      isPlain(error.message);
    });
  });

  test("about the wrong payload names it, and does not report a missing service", async () => {
    await withMesh(async (mesh) => {
      await mesh.apply("beta", DB);
      await assert.rejects(ask(mesh, { name: "nsm-1", payload: "IP" }), {
        code: "FAILED_PRECONDITION",
        topic: "NL-307",
        message: /network service db: it carries ETHERNET, and the client requests IP$/,
      });
    });
  });
});
