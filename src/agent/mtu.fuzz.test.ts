/** After any changes of the ways between two hosts, and restarts of their agents, a wire has the MTU of the narrower way. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { AgentMesh, DB, type HostName, WEB } from "../../fixtures/roles/agent.ts";
import { wireMtu } from "../forwarder/plan/plan.ts";

const OVERHEAD = 54;
const ADDRESSES: Readonly<Record<HostName, string>> = {
  alpha: "10.8.0.1",
  beta: "10.8.0.2",
  gamma: "10.8.0.3",
};

const host = fc.constantFrom<HostName>("alpha", "beta");
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.tuple(fc.constant("lead" as const), host, fc.integer({ min: 1300, max: 1600 })),
  },
  { weight: 3, arbitrary: fc.tuple(fc.constant("sleep" as const), host, fc.integer({ min: 1, max: 400 })) },
  { weight: 1, arbitrary: fc.tuple(fc.constant("restart" as const), host, fc.integer({ min: 1, max: 400 })) },
);

test("after any changes a wire has the MTU of the narrower way", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 8 }), fc.nat(1000), async (steps, seed) => {
      const mesh = new AgentMesh({ seed: String(seed) });
      await mesh.run(async () => {
        const widths: Record<string, number> = { alpha: 1500, beta: 1500 };
        await mesh.sleep(100);
        await mesh.apply("beta", DB);
        await mesh.apply("alpha", WEB);
        for (const [verb, from, number] of steps) {
          if (verb === "sleep") await mesh.sleep(number);
          else if (verb === "restart") await mesh.restart(from, number);
          else {
            const via = ADDRESSES[from === "alpha" ? "beta" : "alpha"];
            const hops = [{ link: "eth0", via }];
            const netns = `file:///run/netns/nl-lab-${from}` as const;
            mesh.machine.plantRoute(netns, { destination: `${via}/32`, hops, mtuBytes: number });
            widths[from] = Math.min(1500, number);
          }
        }
        const expected = Math.min(...Object.values(widths)) - OVERHEAD;
        const found = (): number[] =>
          (["alpha", "beta"] as const).flatMap((name) => [...mesh.agent(name).wires.each()].map(wireMtu));
        for (let i = 0; i < 400 && String(found()) !== String([expected, expected]); i++)
          await mesh.sleep(50);
        assert.deepEqual(found(), [expected, expected]);
        mesh.reaches(["alpha", "a1"], ["beta", "b1"], "web-db");
      });
    }),
    { numRuns: 40 },
  );
});
