/** One network namespace under two names is one workload. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { AgentMesh, DB, read, WEB } from "../../fixtures/roles/agent.ts";

/** A second path to the workload `a1` of alpha. */
const OTHER = "/run/other/a1";

const other = (device: string): string => `
apiVersion: netloom.dev/v1alpha1
kind: NetworkServiceClient
metadata: { name: other-db }
spec:
  workload: { netns: ${OTHER} }
  service: db
  interface: ${device}
`;

async function meshWithDb(body: (mesh: AgentMesh) => Promise<void>): Promise<void> {
  const mesh = new AgentMesh();
  await mesh.run(async () => {
    await mesh.sleep(100);
    await mesh.apply("beta", DB);
    await body(mesh);
  });
}

function viewOf(mesh: AgentMesh, name: string) {
  return mesh.agent("alpha").attachments.find({ kind: "NetworkServiceClient", name })?.view;
}

const CLASH =
  /^apply NetworkServiceClient other-db: NetworkServiceClient web-db has the interface "to-db" of the same workload: lab\/alpha\/a1 and \/run\/other\/a1 are one network namespace; give one of them another$/;

const CLASH_OF_PROCESS =
  /^apply NetworkServiceClient other-db: NetworkServiceClient web-db has the interface "to-db" of the same workload: lab\/alpha\/a1 and pid 4711 are one network namespace; give one of them another$/;

suite("a network namespace with two paths", () => {
  test("has one interface of a name: the second client is refused with both attachments and both paths", async () => {
    await meshWithDb(async (mesh) => {
      mesh.machine.aliasNetns(mesh.netnsOf("alpha", "a1"), OTHER);
      await mesh.apply("alpha", WEB);
      const { attachments } = mesh.agent("alpha");
      await assert.rejects(attachments.apply(read(other("to-db"))), {
        code: "INVALID_ARGUMENT",
        message: CLASH,
      });
      await assert.rejects(attachments.compare(read(other("to-db"))), { message: CLASH });
      assert.equal(viewOf(mesh, "other-db"), undefined);
    });
  });

  test("refuses two new clients in one apply, too", async () => {
    await meshWithDb(async (mesh) => {
      mesh.machine.aliasNetns(mesh.netnsOf("alpha", "a1"), OTHER);
      const { attachments } = mesh.agent("alpha");
      await assert.rejects(attachments.apply(read(`${WEB}---${other("to-db")}`)), {
        code: "INVALID_ARGUMENT",
        message: CLASH,
      });
      assert.deepEqual(attachments.all(), []);
    });
  });

  test("that becomes one later fails the second client with the reason until the first is gone; a restart changes nothing", async () => {
    await meshWithDb(async (mesh) => {
      // The client that fails is the first in the order of the documents.
      await mesh.agent("alpha").attachments.apply(read(other("to-db")));
      await mesh.apply("alpha", WEB);
      assert.equal(viewOf(mesh, "other-db")?.state, "waiting");
      mesh.machine.aliasNetns(mesh.netnsOf("alpha", "a1"), OTHER);
      await mesh.sleep(5_000);
      const clash = async (): Promise<void> => {
        const view = viewOf(mesh, "other-db");
        assert.ok(view?.state === "failed" || view?.state === "requesting", view?.state);
        assert.equal(
          view.reason,
          'work on NetworkServiceClient other-db: NetworkServiceClient web-db has the interface "to-db" of the same workload: lab/alpha/a1 and /run/other/a1 are one network namespace; give one of them another',
        );
        assert.equal(viewOf(mesh, "web-db")?.state, "up");
        mesh.reaches(["alpha", "a1"], ["beta", "b1"], "web-db");
      };
      await clash();
      await mesh.restart("alpha");
      await mesh.sleep(20_000);
      await clash();
      await mesh.agent("alpha").attachments.delete([{ kind: "NetworkServiceClient", name: "web-db" }]);
      await mesh.sleep(12_000);
      assert.equal(viewOf(mesh, "other-db")?.state, "up");
      mesh.reaches(["alpha", "a1"], ["beta", "b1"], "other-db");
    });
  });

  test("has wires of both clients if their interfaces differ, and its death ends both at once", async () => {
    await meshWithDb(async (mesh) => {
      mesh.machine.aliasNetns(mesh.netnsOf("alpha", "a1"), OTHER);
      await mesh.apply("alpha", WEB);
      await mesh.apply("alpha", other("to-db-2"));
      mesh.reaches(["alpha", "a1"], ["beta", "b1"], "web-db");
      mesh.reaches(["alpha", "a1"], ["beta", "b1"], "other-db");
      mesh.removeWorkload("alpha", "a1");
      await mesh.sleep(1_000);
      for (const name of ["web-db", "other-db"]) assert.equal(viewOf(mesh, name)?.state, "waiting", name);
    });
  });
});

suite("a process as a workload", () => {
  const ofProcess = other("to-db").replace(`netns: ${OTHER}`, "pid: 4711");

  test("means its network namespace, which may have a path as well", async () => {
    await meshWithDb(async (mesh) => {
      mesh.machine.processes.start(4711, mesh.netnsOf("alpha", "a1"));
      await mesh.apply("alpha", WEB);
      await assert.rejects(mesh.agent("alpha").attachments.apply(read(ofProcess)), {
        message: CLASH_OF_PROCESS,
      });
    });
  });

  test("is waited for, and does not come back after its end, even if another process gets its pid", async () => {
    await meshWithDb(async (mesh) => {
      await mesh.agent("alpha").attachments.apply(read(ofProcess));
      await mesh.sleep(1_000);
      assert.deepEqual(
        [viewOf(mesh, "other-db")?.state, viewOf(mesh, "other-db")?.reason],
        ["waiting", "hold process 4711: there is no such process"],
      );
      mesh.machine.processes.start(4711, mesh.netnsOf("alpha", "a1"));
      await mesh.sleep(3_000);
      assert.equal(viewOf(mesh, "other-db")?.state, "up");
      mesh.reaches(["alpha", "a1"], ["beta", "b1"], "other-db");
      mesh.machine.processes.end(4711);
      mesh.machine.processes.start(4711, mesh.netnsOf("alpha", "a2"));
      await mesh.sleep(3_000);
      assert.deepEqual(
        [viewOf(mesh, "other-db")?.state, viewOf(mesh, "other-db")?.reason],
        ["waiting", "process 4711 has ended"],
      );
      assert.equal(mesh.machine.processes.holds, 0);
    });
  });
});
