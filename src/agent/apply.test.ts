/** Specs that change while their old attachments are still being closed, because another host does not answer. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { edited } from "../../fixtures/documents/documents.ts";
import { AgentMesh, DB, read, WEB } from "../../fixtures/roles/agent.ts";

const REF = { kind: "NetworkServiceClient", name: "web-db" } as const;

/** The client document with a label. */
const labelled = (app: string): string => edited(WEB, { labels: { app } });

/** Alpha and beta cannot reach each other for 30 s, from second 10 on. The wire is up before that. */
async function cutOff(body: (mesh: AgentMesh, now: () => number) => Promise<void>): Promise<void> {
  const faults = [{ kind: "partition", hosts: ["alpha", "beta"], atMs: 10_000, forMs: 30_000 }] as const;
  const mesh = new AgentMesh({ faults });
  await mesh.runWithWire(async () => {
    const now = (): number => mesh.simulation.clock.monotonicMs();
    await mesh.sleep(10_500 - now());
    await body(mesh, now);
  });
}

suite("an apply", () => {
  test("answers when the state is on the disk; changes during a close do not wait, and the last one counts", async () => {
    await cutOff(async (mesh, now) => {
      const { attachments } = mesh.agent("alpha");
      const id = attachments.find(REF)?.connectionId;
      const startMs = now();
      const [first] = await attachments.apply(read(labelled("one")));
      assert.equal(first?.change, "changed");
      assert.equal(attachments.find(REF)?.view.state, "closing");
      await attachments.apply(
        read(edited(WEB, { name: "other", spec: { workload: { lab: "lab/alpha/a2" } } })),
      );
      const [second] = await attachments.apply(read(labelled("two")));
      assert.deepEqual(second?.differences, ["metadata.labels.app"]);
      const [third] = await attachments.apply(read(labelled("two")));
      assert.equal(third?.change, "unchanged");
      assert.ok(now() - startMs < 100, `${now() - startMs} ms`);
      assert.match(JSON.stringify(attachments.documents({ name: "web-db" })), /"app":"two"/);
      await mesh.sleep(50_000);
      assert.deepEqual([attachments.find(REF)?.view.state, attachments.find(REF)?.connectionId], ["up", id]);
      mesh.reaches(["alpha", "a1"], ["beta", "b1"], "web-db");
      mesh.reaches(["alpha", "a2"], ["beta", "b1"], "other");
      const labels = mesh
        .agent("beta")
        .forwarder.established()
        .map((connection) => connection.labels["app"]);
      assert.ok(labels.includes("two") && !labels.includes("one"), labels.join());
    });
  });

  test("of an attachment that is still being deleted starts after the delete", async () => {
    await cutOff(async (mesh) => {
      for (const [host, ref, text] of [
        ["alpha", REF, WEB],
        ["beta", { kind: "NetworkServiceProvider", name: "db" }, DB],
      ] as const) {
        const { attachments } = mesh.agent(host);
        let isGone = false;
        const deleted = attachments.delete([ref]).then((refs) => {
          isGone = true;
          return refs;
        });
        await mesh.sleep(10);
        const [applied] = await attachments.apply(read(text));
        assert.deepEqual([applied?.change, isGone], ["added", false], host);
        assert.equal(attachments.find(ref)?.view.state, "closing", host);
        assert.deepEqual(await deleted, [ref]);
      }
      await mesh.sleep(60_000);
      mesh.reaches(["alpha", "a1"], ["beta", "b1"], "web-db");
    });
  });

  test("that is deleted before the old attachment is closed leaves nothing", async () => {
    await cutOff(async (mesh) => {
      const { attachments } = mesh.agent("alpha");
      await attachments.apply(read(labelled("one")));
      assert.deepEqual(await attachments.delete([REF]), [REF]);
      assert.deepEqual(attachments.all(), []);
      assert.equal(mesh.agent("alpha").wires.made.size, 0);
      await mesh.sleep(60_000);
      await mesh.agent("beta").attachments.delete([{ kind: "NetworkServiceProvider", name: "db" }]);
      await mesh.sleep(700_000);
      await mesh.holdsNothing();
    });
  });

  test("that is under way when the agent ends for good leaves nothing", async () => {
    await cutOff(async (mesh) => {
      const { attachments, wires } = mesh.agent("alpha");
      await attachments.apply(read(labelled("one")));
      await attachments.closeAll();
      await mesh.sleep(60_000);
      assert.equal(wires.made.size, 0);
      assert.deepEqual(mesh.agent("alpha").manager.established(), []);
    });
  });
});
