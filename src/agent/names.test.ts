/** Two agents with the host name `alpha`: the simulator's `beta` uses this name, too. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { Agent as AdminApi, StatusRequestSchema } from "../api/gen/netloom/admin/v1/admin_pb.js";
import { call, serveAll } from "../api/rpc.ts";
import { lineLog } from "../observe/log.ts";
import { hopTo } from "../registry/hop-to.ts";
import type { HostWorld } from "../world/world.ts";
import { AgentMesh, read, type HostName } from "../../fixtures/roles/agent.ts";

const expose = (host: HostName, name: string, workload: string, pool: string): string => `
apiVersion: netloom.dev/v1alpha1
kind: NetworkServiceProvider
metadata: { name: ${name} }
spec:
  workload: { lab: lab/${host}/${workload} }
  services: [${name}]
  pools: [${pool}]
`;
const CONNECT = `
apiVersion: netloom.dev/v1alpha1
kind: NetworkServiceClient
metadata: { name: to-db }
spec:
  workload: { lab: lab/alpha/a1 }
  service: db
  interface: to-db
`;
const DB = expose("alpha", "db", "a2", "10.0.2.0/24");
const SHOP = expose("beta", "shop", "b1", "10.0.3.0/24");
const REFUSAL =
  /^take host alpha at tcp:\/\/10\.8\.0\.2:5001 \(peer \S+\) into the mesh: there is another host alpha, at tcp:\/\/10\.8\.0\.1:5001 \(peer \S+\).*`netloom agent --name`/;

async function withNamesakes(
  body: (mesh: AgentMesh, lines: readonly string[]) => Promise<void>,
): Promise<void> {
  const lines: string[] = [];
  const wrap = (world: HostWorld): HostWorld => (world.host === "beta" ? { ...world, host: "alpha" } : world);
  const mesh = new AgentMesh({ wrap, log: lineLog((line) => lines.push(line)) });
  // The simulator's alpha starts first.
  mesh.simulation.crash("beta");
  await mesh.run(async () => {
    await mesh.sleep(500);
    await mesh.apply("alpha", DB);
    mesh.simulation.restart("beta");
    await mesh.sleep(1_500);
    await body(mesh, lines);
  });
}

/** The reason in the registry part of a host's status. */
async function reasonOf(mesh: AgentMesh, host: HostName): Promise<string> {
  const role = mesh.agent(host);
  const hop = hopTo(serveAll(role.served), role.world);
  const status = await call(hop, AdminApi.method.status, create(StatusRequestSchema), { timeoutMs: 1000 });
  return status.registry?.reason ?? "";
}

async function viewOf(mesh: AgentMesh, host: HostName, name: string) {
  const found = mesh.agent(host).attachments.find({ kind: "NetworkServiceProvider", name });
  assert.ok(found, name);
  return found.view;
}

suite("two agents of one name", () => {
  test("the second agent reports it in its log and status and offers nothing, and the endpoints of the first one stay", async () => {
    await withNamesakes(async (mesh, lines) => {
      assert.match(await reasonOf(mesh, "beta"), REFUSAL, "before it offers anything");
      assert.equal(await reasonOf(mesh, "alpha"), "");
      const said = lines.filter((line) => line.includes("the registry refuses this host"));
      assert.equal(said.length, 1, lines.join("\n"));
      assert.match(said[0] ?? "", /tcp:\/\/10\.8\.0\.2:5001.*tcp:\/\/10\.8\.0\.1:5001.*--name/);
      await mesh.agent("beta").attachments.apply(read(SHOP));
      await mesh.sleep(120_000);
      const { state, error } = await viewOf(mesh, "beta", "shop");
      assert.deepEqual([state, error?.code, error?.topic], ["failed", "PERMISSION_DENIED", "NL-305"]);
      assert.match(error?.message ?? "", /there is another host alpha, at tcp:\/\/10\.8\.0\.1:5001/);
      assert.equal((await viewOf(mesh, "alpha", "db")).state, "up");
      await mesh.apply("alpha", CONNECT);
      mesh.reaches(["alpha", "a1"], ["alpha", "a2"], "to-db");
    });
  });

  test("the first agent gets its name back at once after a restart, and the second gets it when the first is gone", async () => {
    await withNamesakes(async (mesh) => {
      await mesh.agent("beta").attachments.apply(read(SHOP));
      await mesh.restart("alpha");
      assert.equal(await reasonOf(mesh, "alpha"), "");
      assert.match(await reasonOf(mesh, "beta"), REFUSAL);
      mesh.simulation.crash("alpha");
      await mesh.sleep(80_000);
      assert.equal(await reasonOf(mesh, "beta"), "");
      assert.equal((await viewOf(mesh, "beta", "shop")).state, "up");
      mesh.simulation.restart("alpha");
      await mesh.sleep(3_000);
      assert.match(await reasonOf(mesh, "alpha"), /there is another host alpha, at tcp:\/\/10\.8\.0\.2:5001/);
    });
  });
});
