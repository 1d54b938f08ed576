/** Connections and wires of an earlier agent that no document requests any more are closed. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import type { HostWorld } from "../world/world.ts";
import { edited } from "../../fixtures/documents/documents.ts";
import { AgentMesh, read, WEB, type HostName } from "../../fixtures/roles/agent.ts";

const DB = `
apiVersion: netloom.dev/v1alpha1
kind: NetworkServiceProvider
metadata: { name: db }
spec:
  workload: { lab: lab/beta/b1 }
  services: [db]
  pools: [10.0.2.0/24, "fd00:2::/64"]
`;

const OTHER = DB.replace("name: db", "name: other").replace("beta/b1", "beta/b2").replace("10.0.2", "10.0.3");

/** The numbers of connections and wires of a host's agent. */
function counts(mesh: AgentMesh, host: HostName): readonly [number, number] {
  const { forwarder, wires } = mesh.agent(host);
  return [forwarder.established().length, wires.made.size + wires.unclaimed.length];
}

/** Wraps the worlds: a host can lose its disk, and alpha can lose the answers to its requests. */
class Surroundings {
  isDeaf = false;
  readonly #lost = new Map<string, Set<string>>();

  wrap = (world: HostWorld): HostWorld => {
    const lost = this.#lost.get(world.host);
    const { disk, hops } = world;
    return {
      ...world,
      disk: {
        read: async (name) => (lost?.has(name) === false ? undefined : await disk.read(name)),
        append: async (name, bytes) => {
          if (lost && !lost.has(name)) await disk.replace(name, bytes);
          else await disk.append(name, bytes);
          lost?.add(name);
        },
        replace: async (name, bytes) => {
          await disk.replace(name, bytes);
          lost?.add(name);
        },
        sync: async (name) => await disk.sync(name),
      },
      hops: {
        serve: async (...args) => await hops.serve(...args),
        addressesOf: async (...args) => await hops.addressesOf(...args),
        hold: (...args) => hops.hold(...args),
        dial: (url) => {
          const hop = hops.dial(url);
          return {
            peer: async (...args) => await hop.peer(...args),
            watch: (...args) => hop.watch(...args),
            call: async (method, ...args) => {
              const answer = await hop.call(method, ...args);
              const isLost =
                this.isDeaf && world.host === "alpha" && method.endsWith("NetworkService/Request");
              return isLost ? await new Promise(() => undefined) : answer;
            },
          };
        },
      },
    };
  };

  /** Empties the host's state folder at its next restart. */
  loseDisk(host: HostName): void {
    this.#lost.set(host, new Set());
  }
}

suite("an agent that starts again", () => {
  test("closes the requests that it had sent before a crash, and has one wire with one endpoint", async () => {
    for (const [seed, closesAlpha] of [
      ["1", false],
      ["2", false],
      ["3", true],
    ] as const) {
      const around = new Surroundings();
      const mesh = new AgentMesh({ seed, wrap: around.wrap });
      await mesh.run(async () => {
        await mesh.sleep(100);
        await mesh.apply("beta", `${DB}---${OTHER}`);
        around.isDeaf = true;
        await mesh.agent("alpha").attachments.apply(read(WEB));
        await mesh.sleep(1_000);
        assert.deepEqual(counts(mesh, "beta"), [1, 1], "beta has answered");
        around.isDeaf = false;
        if (closesAlpha) {
          mesh.removeWorkload("alpha", "a1");
        }
        await mesh.restart("alpha");
        await mesh.sleep(30_000);
        assert.deepEqual(counts(mesh, "beta"), closesAlpha ? [0, 0] : [1, 1]);
        if (closesAlpha) return;
        const [own] = mesh.agent("alpha").forwarder.established();
        const [far] = mesh.agent("beta").forwarder.established();
        assert.equal(far?.networkServiceEndpointName, own?.networkServiceEndpointName);
      });
    }
  });

  test("closes the wire of a workload that died meanwhile on both sides, although it is wanted", async () => {
    const mesh = new AgentMesh();
    await mesh.runWithWire(async () => {
      await mesh.sleep(1_000);
      mesh.simulation.crash("alpha");
      mesh.removeWorkload("alpha", "a1");
      mesh.simulation.restart("alpha");
      await mesh.sleep(30_000);
      assert.deepEqual(counts(mesh, "alpha"), [0, 0]);
      assert.deepEqual(counts(mesh, "beta"), [0, 0]);
      // The device that tunnels share stays until the grace time is over: a client may request a tunnel again.
      await mesh.sleep(700_000);
      assert.deepEqual(await mesh.simulation.kernel("alpha").observe([{ netns: "host" }]), []);
      mesh.createWorkload("alpha", "a1");
      await mesh.sleep(5_000);
      mesh.reaches(["alpha", "a1"], ["beta", "b1"], "web-db");
    });
  });
});

suite("an agent that starts again on an empty state folder", () => {
  test("replaces the wire of the same workload and interface, far side included", async () => {
    const around = new Surroundings();
    const mesh = new AgentMesh({ wrap: around.wrap });
    await mesh.runWithWire(async () => {
      await mesh.sleep(1_000);
      around.loseDisk("alpha");
      await mesh.restart("alpha");
      assert.equal(mesh.agent("alpha").attachments.all().length, 0);
      await mesh.apply("alpha", WEB);
      await mesh.sleep(10_000);
      mesh.reaches(["alpha", "a1"], ["beta", "b1"], "web-db");
      assert.deepEqual(counts(mesh, "alpha"), [1, 1]);
      assert.deepEqual(counts(mesh, "beta"), [1, 1]);
    });
  });

  test("replaces a wire between two workloads of this host, too", async () => {
    const around = new Surroundings();
    const mesh = new AgentMesh({ wrap: around.wrap });
    const both = `${DB.replace("beta/b1", "alpha/a2")}---\n${WEB}`;
    await mesh.run(async () => {
      await mesh.sleep(100);
      await mesh.apply("alpha", both);
      await mesh.sleep(1_000);
      around.loseDisk("alpha");
      await mesh.restart("alpha");
      await mesh.apply("alpha", both);
      mesh.reaches(["alpha", "a1"], ["alpha", "a2"], "web-db");
      assert.deepEqual(counts(mesh, "alpha"), [1, 1]);
    });
  });

  test("closes swept wires at the other host, too", async () => {
    const around = new Surroundings();
    const mesh = new AgentMesh({ wrap: around.wrap, sweepAfterMs: 20_000 });
    await mesh.run(async () => {
      await mesh.sleep(100);
      await mesh.apply("beta", DB);
      await mesh.apply(
        "alpha",
        `${WEB}---\n${WEB.replace("web-db", "second").replaceAll("to-db", "to-db2")}`,
      );
      await mesh.sleep(1_000);
      around.loseDisk("alpha");
      await mesh.restart("alpha");
      await mesh.apply("alpha", WEB);
      await mesh.sleep(60_000);
      assert.deepEqual(counts(mesh, "alpha"), [1, 1]);
      assert.deepEqual(counts(mesh, "beta"), [1, 1]);
    });
  });
});

suite("an agent with wires of an earlier agent", () => {
  test("moves a wire to another endpoint, and closes it at the old one as soon as that is reachable", async () => {
    const mesh = new AgentMesh();
    await mesh.runWithWire(async () => {
      await mesh.sleep(1_000);
      mesh.simulation.crash("alpha");
      await mesh.apply("beta", OTHER);
      mesh.simulation.restart("alpha");
      await mesh.sleep(1_000);
      // From now on the client wants another endpoint.
      await mesh.agent("alpha").attachments.apply(read(edited(WEB, { spec: { endpoint: "other.beta" } })));
      await mesh.sleep(15_000);
      mesh.reaches(["alpha", "a1"], ["beta", "b2"], "web-db");
      assert.deepEqual(counts(mesh, "beta"), [1, 1]);
    });
  });

  test("closes an unclaimed wire on both sides on demand, but not the wire of an attachment", async () => {
    const around = new Surroundings();
    const mesh = new AgentMesh({ wrap: around.wrap });
    await mesh.runWithWire(async () => {
      await mesh.sleep(1_000);
      const id =
        mesh.agent("alpha").attachments.find({ kind: "NetworkServiceClient", name: "web-db" })
          ?.connectionId ?? "";
      await assert.rejects(mesh.agent("alpha").attachments.closeWire(id), { code: "FAILED_PRECONDITION" });
      around.loseDisk("beta");
      await mesh.agent("alpha").attachments.delete([{ kind: "NetworkServiceClient", name: "web-db" }]);
      await mesh.apply("alpha", WEB);
      mesh.simulation.crash("alpha");
      await mesh.restart("beta");
      const [unclaimed] = mesh.agent("beta").wires.unclaimed;
      assert.ok(unclaimed);
      assert.equal(await mesh.agent("beta").attachments.closeWire(unclaimed), true);
      assert.equal(await mesh.agent("beta").attachments.closeWire(unclaimed), false);
      assert.deepEqual(counts(mesh, "beta"), [0, 0]);
    });
  });
});
