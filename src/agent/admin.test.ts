/** The admin service of an agent. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  Agent as AdminApi,
  Applied_Change,
  ApplyRequestSchema,
  AttachmentStatus_State,
  type HostStatus,
  PingRequestSchema,
  RegistryStatus_State,
  StatusRequestSchema,
  WhyRequestSchema,
  Wire_State,
} from "../api/gen/netloom/admin/v1/admin_pb.js";
import { call, serveAll, watch } from "../api/rpc.ts";
import { hopTo } from "../registry/hop-to.ts";
import { pathView } from "../view/told-wire.ts";
import type { Hop } from "../world/hops.ts";
import { edited, serviceText } from "../../fixtures/documents/documents.ts";
import { AgentMesh, type HostName } from "../../fixtures/roles/agent.ts";

const DB = `
apiVersion: netloom.dev/v1alpha1
kind: NetworkServiceProvider
metadata: { name: db, labels: { tier: gold } }
spec:
  workload: { lab: lab/beta/b1 }
  services: [db]
  pools: [10.0.2.0/24, "fd00:2::/64"]
`;
const WEB = `
apiVersion: netloom.dev/v1alpha1
kind: NetworkServiceClient
metadata: { name: web-db, labels: { app: web } }
spec:
  workload: { lab: lab/alpha/a1 }
  service: db
  interface: to-db
`;
const { method } = AdminApi;
const OPTIONS = { timeoutMs: 30_000 };

function adminOf(mesh: AgentMesh, host: HostName): Hop {
  const role = mesh.agent(host);
  return hopTo(serveAll(role.served), role.world);
}

async function withMesh(body: (mesh: AgentMesh, alpha: Hop, beta: Hop) => Promise<void>): Promise<void> {
  const mesh = new AgentMesh();
  await mesh.run(async () => {
    await mesh.sleep(100);
    await body(mesh, adminOf(mesh, "alpha"), adminOf(mesh, "beta"));
  });
}

async function apply(hop: Hop, request: MessageInitShape<typeof ApplyRequestSchema>) {
  return await call(hop, method.apply, create(ApplyRequestSchema, { waitMs: 10_000, ...request }), OPTIONS);
}

suite("the admin service", () => {
  test("applies documents, waits for them, and shows both ends of their wires", async () => {
    await withMesh(async (_mesh, alpha, beta) => {
      await apply(beta, { documents: DB });
      const { applied, attachments } = await apply(alpha, { documents: WEB });
      assert.deepEqual(
        applied.map(({ ref, change }) => [ref?.kind, ref?.name, change]),
        [["NetworkServiceClient", "web-db", Applied_Change.ADDED]],
      );
      assert.deepEqual(
        attachments.map(({ state, workload }) => [state, workload]),
        [[AttachmentStatus_State.UP, "a1"]],
      );
      const [near, far] = await Promise.all(
        [alpha, beta].map((hop) => call(hop, method.status, create(StatusRequestSchema), OPTIONS)),
      );
      const [one, other] = [near?.wires[0], far?.wires[0]];
      assert.ok(one && other);
      assert.equal(one.id, other.id);
      assert.match(pathView(one.path).path, /^vxlan vni \d+ alpha→beta$/);
      const [hop] = one.path?.hops ?? [];
      assert.deepEqual(
        [hop?.from, hop?.to, hop?.carriers, hop?.identifier?.name, String(hop?.identifier?.value)],
        ["alpha", "beta", ["vxlan"], "vni", hop?.tunnel?.parameters["vni"]],
      );
      assert.equal(pathView(other.path).path, pathView(one.path).path);
      assert.deepEqual([one.clientEnd?.workload, one.clientEnd?.interface], ["a1", "to-db"]);
      assert.deepEqual([other.endpointEnd?.workload, one.endpointEnd], ["b1", undefined]);
      assert.deepEqual([one.client, one.endpoint, one.service], ["alpha/a1", "db.beta", "db"]);
      assert.ok(one.connection?.path?.pathSegments.every(({ token }) => token === ""));
      assert.equal(near?.registry?.state, RegistryStatus_State.FRESH);
      const graph = await call(alpha, method.graph, create(method.graph.input), OPTIONS);
      assert.deepEqual(
        graph.endpoints.map(({ name, host, services }) => [name, host, services]),
        [["db.beta", "beta", ["db"]]],
      );
      assert.deepEqual(graph.hosts.map(({ name }) => name).sort(), ["alpha", "beta"]);
    });
  });

  test("reports all mistakes at once, and changes nothing", async () => {
    await withMesh(async (mesh, alpha) => {
      const wrong = edited(WEB, { name: "X", spec: { workload: {}, service: undefined } });
      const documents = `${WEB}---\n${wrong}`;
      await assert.rejects(apply(alpha, { documents, fileName: "a.yaml" }), {
        code: "INVALID_ARGUMENT",
        message:
          /^a\.yaml:\d+:\d+: metadata\.name: "X" does not fit: .*\na\.yaml:\d+:\d+: spec\.service: is missing\n/,
      });
      assert.equal(mesh.agent("alpha").attachments.all().length, 0);
      const { problems } = await apply(alpha, { documents, dryRun: true });
      await assert.rejects(apply(alpha, { documents: WEB, waitMs: 600_001 }), {
        code: "INVALID_ARGUMENT",
        message: /600000 are allowed/,
      });
      assert.equal(mesh.agent("alpha").attachments.all().length, 0);
      assert.ok(problems.length >= 3);
      const begin = WEB.split("\n").length;
      assert.ok(problems.every(({ file, line }) => file === "documents" && line > begin));
    });
  });

  test("reports what an apply would change, with both documents, and keeps a document as it was written", async () => {
    await withMesh(async (_mesh, alpha) => {
      await apply(alpha, { documents: WEB, waitMs: 0 });
      const changed = edited(WEB, { labels: { app: "other" } });
      const { applied } = await apply(alpha, { documents: changed, dryRun: true });
      assert.deepEqual(
        applied.map(({ change, differences }) => [change, differences]),
        [[Applied_Change.CHANGED, ["metadata.labels.app"]]],
      );
      assert.match(applied[0]?.before ?? "", /app: web/);
      assert.match(applied[0]?.after ?? "", /app: other/);
      const { attachments } = await call(alpha, method.get, create(method.get.input), OPTIONS);
      const again = await apply(alpha, { documents: attachments[0]?.document ?? "", waitMs: 0 });
      assert.equal(again.applied[0]?.change, Applied_Change.UNCHANGED);
    });
  });
});

suite("the admin service on requests", () => {
  test("deletes existing attachments, and names those that do not exist", async () => {
    await withMesh(async (_mesh, alpha) => {
      await apply(alpha, { documents: WEB, waitMs: 0 });
      const refs = [
        { kind: "networkserviceclient", name: "web-db" },
        { kind: "NetworkServiceProvider", name: "none" },
      ];
      const answer = await call(alpha, method.delete, create(method.delete.input, { refs }), OPTIONS);
      assert.deepEqual(
        [answer.deleted.map(({ name }) => name), answer.absent.map(({ name }) => name)],
        [["web-db"], ["none"]],
      );
    });
  });

  test("explains why an endpoint was chosen, and why it would not be chosen for other labels", async () => {
    await withMesh(async (_mesh, alpha, beta) => {
      const service = serviceText("db", [
        { source_selector: { app: "web" }, routes: [{ destination_selector: { tier: "gold" } }] },
      ]);
      await apply(beta, { documents: `${service}---${DB}` });
      await apply(alpha, { documents: WEB });
      const ask = (request: MessageInitShape<typeof WhyRequestSchema>) =>
        call(alpha, method.why, create(WhyRequestSchema, request), OPTIONS);
      const fine = await ask({ client: "web-db" });
      assert.deepEqual(
        fine.candidates.map(({ endpoint, host }) => [endpoint, host]),
        [["db.beta", "beta"]],
      );
      assert.deepEqual([fine.last?.taken, fine.problem], ["db.beta", ""]);
      const other = await ask({ service: "db", labels: { app: "batch" } });
      assert.deepEqual(
        other.judgements.map(({ match, taken }) => [match, taken]),
        [
          [0, false],
          [undefined, false],
        ],
      );
      assert.match(other.judgements[0]?.reason ?? "", /^is for clients with app.*web/);
      assert.match(other.problem, /none of the 1 endpoints of db is for this client/);
      await assert.rejects(ask({ client: "nobody" }), { code: "NOT_FOUND", hint: /known are web-db/ });
    });
  });

  test("uses the labels of the request: those of the client before those of the host", async () => {
    await withMesh(async (_mesh, alpha, beta) => {
      const service = serviceText("db", [{ source_selector: { nodeName: "mars" }, routes: [{}] }]);
      await apply(beta, { documents: `${service}---${DB}` });
      await apply(alpha, { documents: edited(WEB, { labels: { nodeName: "mars" } }) });
      const ask = (request: MessageInitShape<typeof WhyRequestSchema>) =>
        call(alpha, method.why, create(WhyRequestSchema, request), OPTIONS);
      const own = await ask({ client: "web-db" });
      assert.deepEqual([own.labels, own.problem, own.last?.taken], [{ nodeName: "mars" }, "", "db.beta"]);
      const given = await ask({ client: "web-db", labels: { nodeName: "venus" } });
      assert.deepEqual([given.labels, given.candidates], [{ nodeName: "venus" }, []]);
      const nobody = await ask({ service: "db", labels: { app: "x" } });
      assert.deepEqual(nobody.labels, { nodeName: "alpha", app: "x" });
    });
  });

  test("sends echo requests through a wire by any of its names, and names the path", async () => {
    await withMesh(async (_mesh, alpha, beta) => {
      await apply(beta, { documents: DB });
      await apply(alpha, { documents: WEB });
      for (const wire of ["web-db", "a1/to-db", "alpha/a1/to-db"]) {
        const replies = watch(alpha, method.ping, create(PingRequestSchema, { wire, count: 2 }));
        const seen: [string, number, boolean][] = [];
        for await (const reply of replies) {
          assert.match(pathView(reply.path).path, /^vxlan vni/);
          assert.deepEqual(reply.problems, []);
          if (reply.address !== "") seen.push([reply.address, reply.sequence, reply.rttMs !== undefined]);
        }
        assert.deepEqual(seen, [
          ["10.0.2.0", 1, true],
          ["fd00:2::", 1, true],
          ["10.0.2.0", 2, true],
          ["fd00:2::", 2, true],
        ]);
      }
      assert.throws(() => watch(alpha, method.ping, create(PingRequestSchema, { wire: "a1/eth0" })), {
        code: "NOT_FOUND",
        hint: /alpha\/a1\/to-db/,
      });
    });
  });
});

suite("the watched status of the admin service", () => {
  test("is sent after every change, and not without a change", async () => {
    await withMesh(async (mesh, alpha, beta) => {
      const statuses = watch(alpha, method.watch, create(StatusRequestSchema, { minIntervalMs: 50 }));
      assert.equal((await statuses.take())?.attachments.length, 0);
      await apply(beta, { documents: DB });
      await apply(alpha, { documents: WEB });
      let latest = await statuses.take();
      while (latest && latest.wires.length === 0) latest = await statuses.take();
      assert.equal(latest?.attachments[0]?.state, AttachmentStatus_State.UP);
      statuses.close();
      await mesh.sleep(1_000);
      assert.equal(await statuses.take(), undefined);
    });
  });

  test("shows unclaimed wires until a client requests them or they are swept", async () => {
    const mesh = new AgentMesh({ sweepAfterMs: 20_000 });
    await mesh.run(async () => {
      await mesh.sleep(100);
      await apply(adminOf(mesh, "beta"), { documents: DB });
      await apply(adminOf(mesh, "alpha"), { documents: WEB });
      const look = (host: HostName) =>
        call(adminOf(mesh, host), method.status, create(StatusRequestSchema), OPTIONS);
      const before = (await look("beta")).wires[0];
      mesh.simulation.crash("beta");
      // Beta gets no message about this delete.
      await mesh.agent("alpha").attachments.delete([{ kind: "NetworkServiceClient", name: "web-db" }]);
      mesh.simulation.restart("beta");
      await mesh.sleep(3_000);
      const { wires, unclaimed, unclaimedWires } = await look("beta");
      assert.deepEqual([wires.length, unclaimed.length, unclaimedWires], [0, 1, 1]);
      const [left] = unclaimed;
      assert.deepEqual(
        [left?.id, left?.state, left?.endpointEnd?.interface, left?.mtu, left?.path?.hops[0]?.identifier],
        [
          before?.id,
          Wire_State.UNCLAIMED,
          before?.endpointEnd?.interface,
          before?.mtu,
          before?.path?.hops[0]?.identifier,
        ],
      );
      assert.deepEqual([left?.endpointAddresses, left?.clientEnd], [before?.endpointAddresses, undefined]);
      assert.match(pathView(left?.path).path, /^vxlan vni \d+ 10\.8\.0\.1→beta$/);
      await mesh.sleep(30_000);
      assert.deepEqual((await look("beta")).unclaimed, []);
    });
  });

  test("shows at once that the registry is lost, and that it is back", async () => {
    await withMesh(async (mesh, alpha) => {
      const statuses = watch(alpha, method.watch, create(StatusRequestSchema, { minIntervalMs: 10 }));
      const untilState = async (state: RegistryStatus_State): Promise<HostStatus> => {
        for (;;) {
          const status = (await statuses.take()) ?? assert.fail("the watch has ended");
          if (status.registry?.state === state) return status;
        }
      };
      await untilState(RegistryStatus_State.FRESH);
      const { world } = mesh.agent("alpha");
      const restarted = mesh.restart("registry", 2_000);
      const lostAtMs = world.clock.monotonicMs();
      const { registry } = await untilState(RegistryStatus_State.STALE);
      const tookMs = world.clock.monotonicMs() - lostAtMs;
      assert.ok(tookMs < 100, `${tookMs} ms`);
      assert.notEqual(registry?.reason, "");
      await restarted;
      await untilState(RegistryStatus_State.FRESH);
      statuses.close();
    });
  });
});
