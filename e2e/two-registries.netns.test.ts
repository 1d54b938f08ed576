/**
 * Two registries over one SQLite file serve two agents, and one of them is killed.
 *
 * ```
 *   alpha 10.1.0.1 ──────── r1 ──────── beta 10.2.0.2
 *     registry, agent                     registry, agent
 *     web ═══════════ vxlan ═══════════ db
 *     app ═══════════ vxlan ═══════════ db
 *         └── one file: alpha/registry.db ──┘
 * ```
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "../fixtures/async/until.ts";
import { bringDaemons, findDaemons } from "../src/lab/daemons.ts";
import { labFixture, type LabFixture } from "../fixtures/lab/lab.ts";
import { bringAttachments } from "../src/lab/mesh.ts";
import { mustParseLab } from "../src/lab/file/parse.ts";
import { needsRoot } from "../fixtures/linux/netns.ts";

const FRAME = `apiVersion: netloom.dev/v1alpha1
kind: Lab
metadata: { name: NAME }
spec:
  hosts:
    alpha: { workloads: [web, app] }
    beta: { workloads: [db, late] }
  routers: [r1]
  links:
    - { ends: [alpha, r1], subnets: [10.1.0.0/24] }
    - { ends: [r1, beta], subnets: [10.2.0.0/24] }
  registry: [alpha, beta]
  agents: true
---
apiVersion: netloom.dev/v1alpha1
kind: NetworkServiceProvider
metadata: { name: db }
spec: { workload: beta/db, services: [db], pools: [10.9.0.0/24] }
---
apiVersion: netloom.dev/v1alpha1
kind: NetworkServiceClient
metadata: { name: web-db }
spec: { workload: alpha/web, service: db, interface: to-db }
`;
const APP = `---\napiVersion: netloom.dev/v1alpha1\nkind: NetworkServiceClient\nmetadata: { name: app-db }\nspec: { workload: alpha/app, service: db, interface: to-db }\n`;
const LATE = `---
apiVersion: netloom.dev/v1alpha1
kind: NetworkServiceProvider
metadata: { name: late }
spec: { workload: beta/late, services: [late], pools: [10.8.0.0/24] }
---
apiVersion: netloom.dev/v1alpha1
kind: NetworkServiceClient
metadata: { name: web-late }
spec: { workload: alpha/web, service: late, interface: to-late }
`;

/** Kills a registry as the kernel's out-of-memory killer does. */
function kill(lab: LabFixture, host: string): void {
  const found = findDaemons(lab.name).find((each) => each.kind === "registry" && each.host === host);
  assert.ok(found, `the registry of ${host} runs`);
  process.kill(found.pid, "SIGKILL");
}

/** Applies documents without restarting the processes of the lab, and waits until everything is up. */
async function ask(lab: LabFixture, text: string, wires: number): Promise<void> {
  const states = await bringAttachments(mustParseLab(text.replaceAll("NAME", lab.name), "x.yaml"), undefined);
  assert.deepEqual(
    states.filter(({ isUp }) => !isUp),
    [],
  );
  await until(async () => (await lab.assertHealthy()).wires.length === wires);
}

for (const [victim, other] of [
  ["alpha", "beta"],
  ["beta", "alpha"],
] as const)
  test(
    `the registry of ${victim} is killed: connections continue, new ones are made, and it takes over when it is back`,
    { skip: needsRoot },
    async (t) => {
      const lab = await labFixture(t);
      await lab.up(FRAME);
      await lab.assertHealthy();
      const wanted = findDaemons(lab.name);
      assert.equal(wanted.filter(({ kind }) => kind === "registry").length, 2);
      kill(lab, victim);
      await ask(lab, FRAME + APP, 2);
      assert.deepEqual(await bringDaemons(lab.machine, lab.name, wanted), [`registry of ${victim}`]);
      kill(lab, other);
      await ask(lab, FRAME + APP + LATE, 3);
    },
  );
