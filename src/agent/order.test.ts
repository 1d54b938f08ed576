/** Attachments that exchange interfaces in one apply. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { AgentMesh, read } from "../../fixtures/roles/agent.ts";

const offer = (name: string, host: string, pool: string): string => `
apiVersion: netloom.dev/v1alpha1
kind: NetworkServiceProvider
metadata: { name: ${name} }
spec:
  workload: { lab: lab/${host}/b1 }
  services: [${name}]
  pools: [${pool}]
`;
const connect = (name: string, service: string, device: string): string => `---
apiVersion: netloom.dev/v1alpha1
kind: NetworkServiceClient
metadata: { name: ${name} }
spec:
  workload: { lab: lab/alpha/a1 }
  service: ${service}
  interface: ${device}
`;

suite("one apply", () => {
  for (const seed of ["1", "2"])
    test(`in which three clients exchange their interfaces ends with all of them up (seed ${seed})`, async () => {
      const mesh = new AgentMesh({ seed });
      await mesh.run(async () => {
        await mesh.sleep(100);
        await mesh.apply("beta", offer("db", "beta", "10.0.2.0/24"));
        await mesh.apply("beta", offer("mail", "beta", "10.0.3.0/24"));
        const names = ["one", "two", "three"];
        const bring = async (devices: readonly string[]): Promise<void> => {
          const text = names
            .map((name, i) => connect(name, i === 1 ? "mail" : "db", devices[i] ?? ""))
            .join("");
          const { attachments } = mesh.agent("alpha");
          await attachments.apply(read(text));
          await mesh.sleep(20_000);
          for (const [i, name] of names.entries()) {
            const found = attachments.find({ kind: "NetworkServiceClient", name });
            assert.equal(found?.view.state, "up", `${name}: ${JSON.stringify(found?.view)}`);
            mesh.reaches(["alpha", "a1"], ["beta", "b1"], name);
            const wire = mesh.agent("alpha").wires.made.get(found.connectionId);
            assert.ok(JSON.stringify(wire).includes(`"${devices[i]}"`), `${name} has ${devices[i]}`);
          }
        };
        await bring(["x", "y", "z"]);
        await bring(["y", "x", "z"]);
        await bring(["x", "z", "y"]);
        await bring(["w", "x", "z"]);
      });
    });
});
