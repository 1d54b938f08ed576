/** Many wires from one pool are requested and closed at once. At no time do two wires of a workload have the same address. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { plan } from "../forwarder/plan/plan.ts";
import { AgentMesh, read } from "../../fixtures/roles/agent.ts";

const SERVICES = ["one", "two", "three"] as const;
const CONNECTS = 6;

/** The clients that exist in each step: [service, workload] by number, or nothing. */
const steps = fc.array(
  fc.array(fc.option(fc.record({ service: fc.nat(2), workload: fc.nat(1) })), {
    minLength: CONNECTS,
    maxLength: CONNECTS,
  }),
  { minLength: 2, maxLength: 4 },
);

/** Checks that each far address, and each own address of a client, belongs to one wire in its workload. */
function check(mesh: AgentMesh): number {
  const seen = new Map<string, string>();
  const wires = [...mesh.agent("alpha").wires.made, ...mesh.agent("beta").wires.made];
  for (const [id, { wire }] of wires) {
    for (const object of plan(wire).objects) {
      if (object.kind !== "address" || object.address.startsWith("fe80")) continue;
      for (const text of [object.address, object.peer]) {
        const key = `${object.netns} ${text}`;
        assert.ok(!seen.has(key) || seen.get(key) === id, `${text} is on ${id} and ${seen.get(key)}`);
        seen.set(key, id);
      }
    }
  }
  return wires.length;
}

test("with any mix of requests and closes, no address is on two wires of a workload, and all wires come up", async () => {
  await fc.assert(
    fc.asyncProperty(steps, fc.nat(1_000), async (history, seed) => {
      const mesh = new AgentMesh({ seed: String(seed) });
      await mesh.run(async () => {
        await mesh.sleep(100);
        const exposes = SERVICES.map(
          (name, n) => `
apiVersion: netloom.dev/v1alpha1
kind: NetworkServiceProvider
metadata: { name: ${name} }
spec:
  workload: { lab: lab/beta/b${n === 2 ? 2 : 1} }
  services: [${name}]
  pools: [10.96.0.0/26]
`,
        );
        await mesh.apply("beta", exposes.join("---"));
        const { attachments } = mesh.agent("alpha");
        for (const wanted of history) {
          const documents = wanted.flatMap((each, n) =>
            each === null
              ? []
              : `
apiVersion: netloom.dev/v1alpha1
kind: NetworkServiceClient
metadata: { name: c${n} }
spec:
  workload: { lab: lab/alpha/a${each.workload + 1} }
  service: ${SERVICES[each.service]}
`,
          );
          const gone = wanted.flatMap((each, n) =>
            each ? [] : [{ kind: "NetworkServiceClient", name: `c${n}` } as const],
          );
          const deleted = attachments.delete(gone);
          if (documents.length > 0) await attachments.apply(read(documents.join("---")));
          // Requests and closes may be under way at each of these times.
          for (let i = 0; i < 10; i++) {
            await mesh.sleep(20);
            check(mesh);
          }
          await deleted;
          if (documents.length > 0) await mesh.apply("alpha", documents.join("---"));
          assert.equal(check(mesh), 2 * documents.length);
        }
        await attachments.delete(
          Array.from(
            { length: CONNECTS },
            (_, n) => ({ kind: "NetworkServiceClient", name: `c${n}` }) as const,
          ),
        );
        await mesh.sleep(1_000);
        await mesh.holdsNothing();
      });
    }),
    { numRuns: 4 },
  );
});
