/** Agents on the simulator: attachments, restarts, dying workloads. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { NetworkServiceQuerySchema, NetworkServiceSchema } from "../api/gen/nsm/registry_pb.js";
import { stationsOver } from "../api/hops.ts";
import { edited, serviceText } from "../../fixtures/documents/documents.ts";
import { AgentMesh, read, REGISTRY_URL, WEB } from "../../fixtures/roles/agent.ts";
import { peerNamed } from "../../fixtures/world/peer.ts";

const DB = `
apiVersion: netloom.dev/v1alpha1
kind: NetworkServiceProvider
metadata: { name: db }
spec:
  workload: { lab: lab/beta/b1 }
  services: [db]
  pools: [10.0.2.0/24, "fd00:2::/64"]
`;

/** Another provider of the same service. */
const other = (place: string): string =>
  edited(DB, { name: "other", spec: { workload: { lab: `lab/${place}` } } });

suite("an agent", () => {
  test("connects a workload to a service of another host by name, and leaves nothing after the delete", async () => {
    const mesh = new AgentMesh();
    await mesh.runWithWire(async () => {
      mesh.reaches(["alpha", "a1"], ["beta", "b1"], "web-db");
      const { connection } = mesh.agent("alpha").forwarder.established()[0]
        ? { connection: mesh.agent("alpha").forwarder.established()[0] }
        : assert.fail("no connection");
      assert.deepEqual(
        connection?.path?.pathSegments.map(({ name }) => name),
        ["alpha/a1", "manager-alpha", "forwarder-alpha", "manager-beta", "forwarder-beta", "db.beta"],
      );
      await mesh.agent("alpha").attachments.delete([{ kind: "NetworkServiceClient", name: "web-db" }]);
      await mesh.agent("beta").attachments.delete([{ kind: "NetworkServiceProvider", name: "db" }]);
      await mesh.sleep(500);
      await mesh.holdsNothing();
    });
  });

  test("connects two workloads of one host", async () => {
    const mesh = new AgentMesh();
    await mesh.run(async () => {
      await mesh.sleep(100);
      await mesh.apply("alpha", `${DB.replace("beta/b1", "alpha/a2")}---\n${WEB}`);
      mesh.reaches(["alpha", "a1"], ["alpha", "a2"], "web-db");
    });
  });

  test("connects as soon as a provider offers the service", async () => {
    const mesh = new AgentMesh();
    await mesh.run(async () => {
      await mesh.sleep(100);
      const alpha = mesh.agent("alpha").attachments;
      await alpha.apply(read(WEB));
      await mesh.sleep(60_000);
      const failed = alpha.find({ kind: "NetworkServiceClient", name: "web-db" })?.view;
      assert.equal(failed?.state, "failed");
      assert.match(failed.reason, /network service db is not found/);
      await mesh.apply("beta", DB);
      await mesh.sleep(200);
      assert.equal(alpha.find({ kind: "NetworkServiceClient", name: "web-db" })?.view.state, "up");
    });
  });
});

suite("an agent that starts again", () => {
  test("keeps its wires after a crash, under the same ids, and changes nothing in the kernel", async () => {
    for (const host of ["alpha", "beta"] as const) {
      const mesh = new AgentMesh();
      await mesh.runWithWire(async () => {
        await mesh.sleep(1_000);
        const look = async () =>
          await Promise.all(
            (["alpha", "beta"] as const).map((each) =>
              mesh.simulation
                .kernel(each)
                .observe([{ netns: "host" }, { netns: mesh.netnsOf(each, each === "alpha" ? "a1" : "b1") }]),
            ),
          );
        const before = await look();
        const ids = mesh
          .agent("alpha")
          .forwarder.established()[0]
          ?.path?.pathSegments.map(({ id }) => id);
        await mesh.restart(host);
        await mesh.sleep(10_000);
        mesh.reaches(["alpha", "a1"], ["beta", "b1"], "web-db");
        assert.deepEqual(await look(), before, `${host} was restarted`);
        const after = mesh
          .agent("alpha")
          .forwarder.established()[0]
          ?.path?.pathSegments.map(({ id }) => id);
        if (host === "alpha") assert.deepEqual(after, ids);
        assert.deepEqual(mesh.agent(host).wires.unclaimed, []);
      });
    }
  });

  test("removes the wire of an attachment that was deleted meanwhile, after the grace time", async () => {
    const mesh = new AgentMesh({ sweepAfterMs: 5_000 });
    await mesh.runWithWire(async () => {
      mesh.simulation.crash("beta");
      await mesh.agent("alpha").attachments.delete([{ kind: "NetworkServiceClient", name: "web-db" }]);
      mesh.simulation.restart("beta");
      await mesh.sleep(1_000);
      assert.equal(mesh.agent("beta").wires.unclaimed.length, 1);
      await mesh.sleep(20_000);
      await mesh.holdsNothing();
    });
  });
});

suite("an agent whose workloads and services come and go", () => {
  test("closes the wire of a dead workload, and makes it again with the same address when the workload is back", async () => {
    const mesh = new AgentMesh();
    await mesh.runWithWire(async () => {
      const before = mesh.addresses("alpha", "web-db");
      mesh.removeWorkload("alpha", "a1");
      await mesh.sleep(1_000);
      assert.deepEqual(mesh.agent("beta").forwarder.established(), []);
      const { attachments } = mesh.agent("alpha");
      assert.equal(attachments.find({ kind: "NetworkServiceClient", name: "web-db" })?.view.state, "waiting");
      mesh.createWorkload("alpha", "a1");
      await mesh.sleep(3_000);
      mesh.reaches(["alpha", "a1"], ["beta", "b1"], "web-db");
      assert.deepEqual(mesh.addresses("alpha", "web-db"), before);
    });
  });

  test("withdraws the services of a dead workload, and its clients move to other endpoints", async () => {
    const mesh = new AgentMesh();
    await mesh.runWithWire(async () => {
      mesh.removeWorkload("beta", "b1");
      await mesh.sleep(1_000);
      await mesh.apply("beta", other("beta/b2"));
      await mesh.sleep(12_000);
      mesh.reaches(["alpha", "a1"], ["beta", "b2"], "web-db");
    });
  });

  test("moves away from the endpoint of a dead host as soon as the registry drops it", async () => {
    const [atMs, forMs, leaseMs] = [30_000, 1e7, 8_000];
    const cut = (other: string) => ({ kind: "partition", hosts: ["beta", other], atMs, forMs }) as const;
    const mesh = new AgentMesh({ leaseMs, faults: [cut("alpha"), cut("registry")] });
    await mesh.run(async () => {
      const { clock } = mesh.simulation;
      await mesh.sleep(100);
      await mesh.apply("beta", DB);
      await mesh.apply("alpha", WEB);
      await mesh.apply("alpha", other("alpha/a2"));
      mesh.reaches(["alpha", "a1"], ["beta", "b1"], "web-db");
      const { attachments, forwarder } = mesh.agent("alpha");
      const endpoint = (): string | undefined => forwarder.established()[0]?.networkServiceEndpointName;
      await mesh.sleep(atMs - clock.monotonicMs());
      mesh.isUnderlayCut = true;
      await mesh.sleep(leaseMs / 2);
      assert.equal(attachments.find({ kind: "NetworkServiceClient", name: "web-db" })?.view.state, "healing");
      assert.equal(endpoint(), "db.beta");
      await mesh.sleep(leaseMs);
      mesh.reaches(["alpha", "a1"], ["alpha", "a2"], "web-db");
      assert.equal(endpoint(), "other.alpha");
    });
  });

  for (const outage of ["", ", also with the registry down"])
    test(`withdraws a provider with its wires, and their clients move to other endpoints${outage}`, async () => {
      const mesh = new AgentMesh();
      await mesh.runWithWire(async () => {
        if (outage) mesh.simulation.crash("registry");
        await mesh.agent("beta").attachments.delete([{ kind: "NetworkServiceProvider", name: "db" }]);
        const { attachments, wires } = mesh.agent("beta");
        assert.deepEqual([attachments.all().length, wires.made.size], [0, 0]);
        if (outage) mesh.simulation.restart("registry");
        await mesh.apply("beta", other("beta/b2"));
        await mesh.sleep(12_000);
        mesh.reaches(["alpha", "a1"], ["beta", "b2"], "web-db");
      });
    });
});

suite("an agent whose desired state changes", () => {
  test("changes a wire if its attachment has changed, and nothing otherwise", async () => {
    const mesh = new AgentMesh();
    await mesh.runWithWire(async () => {
      const before = mesh.addresses("alpha", "web-db");
      const { attachments } = mesh.agent("alpha");
      assert.deepEqual(
        (await attachments.apply(read(WEB))).map(({ change }) => change),
        ["unchanged"],
      );
      await mesh.apply("alpha", WEB.replace("to-db", "renamed"));
      assert.deepEqual(mesh.addresses("alpha", "web-db"), before);
      mesh.reaches(["alpha", "a1"], ["beta", "b1"], "web-db");
      assert.deepEqual(
        (await attachments.compare(read(WEB))).map(({ change, differences }) => ({ change, differences })),
        [{ change: "changed", differences: ["spec.interface"] }],
      );
    });
  });

  test("reaches a known service while the registry is down, also after a restart", async () => {
    const mesh = new AgentMesh();
    await mesh.runWithWire(async () => {
      await mesh.sleep(5_000);
      mesh.simulation.crash("registry");
      await mesh.apply("alpha", WEB.replace("web-db", "second").replace("alpha/a1", "alpha/a2"));
      mesh.reaches(["alpha", "a2"], ["beta", "b1"], "second");
      await mesh.restart("alpha");
      await mesh.sleep(5_000);
      mesh.reaches(["alpha", "a1"], ["beta", "b1"], "web-db");
    });
  });

  test("refuses two wires with one interface in one workload", async () => {
    const mesh = new AgentMesh();
    await mesh.run(async () => {
      await mesh.sleep(100);
      const { attachments } = mesh.agent("alpha");
      await attachments.apply(read(WEB));
      await assert.rejects(attachments.apply(read(WEB.replace("web-db", "other"))), {
        code: "INVALID_ARGUMENT",
        message: /NetworkServiceClient web-db has the interface "to-db"/,
      });
    });
  });
});

/** The service with a match for endpoints of one colour. */
const forColour = (colour: string): string =>
  serviceText("db", [{ routes: [{ destination_selector: { colour } }] }]);
const BLUE = edited(DB, { labels: { colour: "blue" } });
const GREEN = edited(other("alpha/a2"), { labels: { colour: "green" }, spec: { pools: ["10.0.3.0/24"] } });

suite("wires that are up when a spec changes", () => {
  for (const outage of ["", ", also with the registry down"])
    test(`get the changes of their provider at once, and none goes down${outage}`, async () => {
      const mesh = new AgentMesh();
      await mesh.run(async () => {
        await mesh.sleep(100);
        const db = (...client: string[]): string => edited(DB, { spec: { routes: { client } } });
        await mesh.apply("beta", db("10.7.0.0/16"));
        await mesh.apply("alpha", WEB);
        const look = async () =>
          await mesh.simulation.kernel("alpha").observe([{ netns: mesh.netnsOf("alpha", "a1") }]);
        const routes = async () =>
          (await look()).flatMap((each) =>
            each.kind === "route" && each.destination.endsWith("/16") ? [each.destination] : [],
          );
        assert.deepEqual(await routes(), ["10.7.0.0/16"]);
        const devices = async () => (await look()).filter(({ kind }) => kind === "veth");
        const before = await devices();
        if (outage) mesh.simulation.crash("registry");
        await mesh.agent("beta").attachments.apply(read(db("10.8.0.0/16")));
        await mesh.sleep(1_000);
        assert.deepEqual(await routes(), ["10.8.0.0/16"]);
        assert.deepEqual(await devices(), before);
        assert.equal(
          mesh.agent("alpha").attachments.find({ kind: "NetworkServiceClient", name: "web-db" })?.view.state,
          "up",
        );
      });
    });

  test("move to a matching endpoint when the matches of their service change, but not before the registry has them", async () => {
    const mesh = new AgentMesh();
    await mesh.run(async () => {
      await mesh.sleep(100);
      await mesh.apply("beta", forColour("blue"));
      await mesh.apply("beta", BLUE);
      await mesh.apply("alpha", GREEN);
      await mesh.apply("alpha", WEB);
      mesh.reaches(["alpha", "a1"], ["beta", "b1"], "web-db");
      mesh.simulation.crash("registry");
      await mesh.agent("beta").attachments.apply(read(forColour("green")));
      await mesh.sleep(20_000);
      mesh.reaches(["alpha", "a1"], ["beta", "b1"], "web-db");
      mesh.simulation.restart("registry");
      await mesh.sleep(20_000);
      mesh.reaches(["alpha", "a1"], ["alpha", "a2"], "web-db");
      assert.deepEqual(mesh.agent("beta").forwarder.established(), []);
      await mesh.agent("beta").attachments.apply(read(forColour("blue")));
      await mesh.sleep(2_000);
      mesh.reaches(["alpha", "a1"], ["beta", "b1"], "web-db");
    });
  });

  test("move back after another program has registered their service without matches: the agent restores the matches", async () => {
    const mesh = new AgentMesh();
    await mesh.run(async () => {
      await mesh.sleep(100);
      await mesh.apply("beta", forColour("blue"));
      await mesh.apply("beta", BLUE);
      const { registry: manager, world } = mesh.agent("beta");
      const matches = async (): Promise<number | undefined> => {
        const query = create(NetworkServiceQuerySchema, { networkService: { name: "db" } });
        const { services } = stationsOver(world.hops.dial(REGISTRY_URL), world.clock);
        return (await services.find({ scope: world.scope }, query).take())?.networkService?.matches.length;
      };
      assert.equal(await matches(), 1);
      const peer = peerNamed("unix:1000");
      const caller = { scope: world.scope, deadlineMs: Infinity, peer };
      await manager.services.request(caller, create(NetworkServiceSchema, { name: "db" }));
      assert.equal(await matches(), 0);
      await mesh.apply("alpha", GREEN);
      await mesh.apply("alpha", WEB);
      await mesh.sleep(5_000);
      assert.equal(await matches(), 1);
      mesh.reaches(["alpha", "a1"], ["beta", "b1"], "web-db");
    });
  });
});
