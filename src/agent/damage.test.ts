/** A restart with damaged files on the disk. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { lineLog } from "../observe/log.ts";
import { NetloomError } from "../errors/errors.ts";
import type { KernelObject } from "../kernel/kernel.ts";
import type { HostWorld } from "../world/world.ts";
import { AgentMesh, WEB } from "../../fixtures/roles/agent.ts";

const DB = `
apiVersion: netloom.dev/v1alpha1
kind: NetworkServiceProvider
metadata: { name: db }
spec:
  workload: { lab: lab/beta/b1 }
  services: [db]
  pools: [10.0.2.0/24, "fd00:2::/64"]
`;

type Damage = (bytes: Uint8Array) => Uint8Array;

const DAMAGES: Readonly<Record<string, Damage>> = {
  "is empty": () => new Uint8Array(),
  "was cut off": (bytes) => bytes.slice(0, bytes.length * 0.6),
  "has a flipped bit": (bytes) => bytes.with(bytes.length - 20, (bytes.at(-20) ?? 0) ^ 4),
  "has no first line": (bytes) => bytes.slice(bytes.indexOf(10) + 1),
};

/** Makes a wire between two hosts, kills alpha, and restarts it with the damaged file. */
async function relive(file: string, damage: Damage, more: { readonly onRefusal?: (error: unknown) => void }) {
  let isDamaged = false;
  const lines: string[] = [];
  const wrap = (world: HostWorld): HostWorld => ({
    ...world,
    disk: {
      ...world.disk,
      read: async (name) => {
        const bytes = await world.disk.read(name);
        return bytes && isDamaged && name === file && world.host === "alpha" ? damage(bytes) : bytes;
      },
      append: async (...args) => await world.disk.append(...args),
      replace: async (...args) => await world.disk.replace(...args),
      sync: async (...args) => await world.disk.sync(...args),
    },
  });
  const log = lineLog((line) => lines.push(line));
  const mesh = new AgentMesh({ seed: file, wrap, log, ...more });
  const look = async (): Promise<KernelObject[][]> =>
    await Promise.all(
      (["alpha", "beta"] as const).map(async (host) =>
        mesh.simulation
          .kernel(host)
          .observe(
            ["host" as const, mesh.netnsOf(host, host === "alpha" ? "a1" : "b1")].map((netns) => ({ netns })),
          ),
      ),
    );
  let [before, after]: KernelObject[][][] = [];
  await mesh.run(async () => {
    await mesh.sleep(100);
    await mesh.apply("beta", DB);
    await mesh.apply("alpha", WEB);
    await mesh.sleep(5_000);
    before = await look();
    isDamaged = true;
    lines.length = 0;
    await mesh.restart("alpha");
    await mesh.sleep(10_000);
    after = await look();
  });
  return { mesh, before, after, lines };
}

suite("an agent whose disk is damaged", () => {
  for (const [how, damage] of Object.entries(DAMAGES)) {
    test(`refuses a kept state that ${how}, as a whole, says what to do, and changes nothing`, async () => {
      const errors: unknown[] = [];
      const { before, after } = await relive("wish", damage, { onRefusal: (error) => errors.push(error) });
      const [error] = errors;
      assert.ok(error instanceof NetloomError, "it was accepted");
      assert.equal(error.topic, "NL-205");
      assert.match(error.message, /^read the desired state from the state folder\/wish: \w/);
      assert.match(error.hint ?? "", /move it away/);
      assert.deepEqual(after, before);
    });

    for (const cache of ["answers", "namespaces", "registry-answers"])
      test(`continues without the ${cache} that ${how}: no wire changes, and the log reports it`, async () => {
        const { mesh, before, after, lines } = await relive(cache, damage, {});
        const { attachments, wires } = mesh.agent("alpha");
        assert.equal(attachments.find({ kind: "NetworkServiceClient", name: "web-db" })?.view.state, "up");
        assert.deepEqual(after, before);
        assert.deepEqual(wires.unclaimed, []);
        const isExpected = cache === "namespaces" && /empty|cut off|first line/.test(how);
        if (!isExpected) assert.match(lines.join("\n"), new RegExp(`damaged.*${cache}`));
      });
  }
});
