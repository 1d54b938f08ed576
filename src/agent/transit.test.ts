/** A wire over a third host: alpha (client) → gamma → beta (endpoint). */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { Agent, StatusRequestSchema } from "../api/gen/netloom/admin/v1/admin_pb.js";
import { call, serveAll } from "../api/rpc.ts";
import { groupByOwner } from "../forwarder/reconcile/owner.ts";
import type { KernelObject } from "../kernel/kernel.ts";
import { hopTo } from "../registry/hop-to.ts";
import { edited } from "../../fixtures/documents/documents.ts";
import { pathView } from "../view/told-wire.ts";
import { AgentMesh, DB, type HostName, read, WEB } from "../../fixtures/roles/agent.ts";

/** The client document with these hosts in `via`. */
const over = (...via: string[]): string => edited(WEB, { spec: { via } });
const REF = { kind: "NetworkServiceClient", name: "web-db" } as const;
const HOSTS = ["alpha", "beta", "gamma"] as const;

const newMesh = (): AgentMesh => new AgentMesh({ hosts: HOSTS, sweepAfterMs: 60_000 });

async function bring(mesh: AgentMesh, document = over("gamma")): Promise<void> {
  await mesh.sleep(1_000);
  await mesh.apply("beta", DB);
  await mesh.apply("alpha", document);
  // The last answer is written to the disk a moment later.
  await mesh.sleep(1_000);
}

async function objectsOf(
  mesh: AgentMesh,
  host: HostName,
): Promise<ReadonlyMap<string, readonly KernelObject[]>> {
  return groupByOwner(await mesh.simulation.kernel(host).observe([{ netns: "host" }])).owned;
}

/** The path of the wire in the status of a host. */
async function pathOf(mesh: AgentMesh, host: HostName): Promise<string> {
  const { served, world } = mesh.agent(host);
  const request = create(StatusRequestSchema, {});
  const { wires } = await call(hopTo(serveAll(served), world), Agent.method.status, request, {
    timeoutMs: 1_000,
  });
  return pathView(wires[0]?.path).path;
}

const kinds = (objects: readonly KernelObject[] = []): string[] => objects.map(({ kind }) => kind).sort();

suite("a wire over a third host", () => {
  test("carries packets from tunnel to tunnel, and disappears from all three hosts with a delete", async () => {
    const mesh = newMesh();
    await mesh.run(async () => {
      await bring(mesh);
      mesh.reaches(["alpha", "a1"], ["beta", "b1"], "web-db");
      const [[id, { wire }] = assert.fail()] = [...mesh.agent("gamma").wires.made];
      assert.deepEqual([wire.client.type, wire.endpoint.type], ["VXLAN", "VXLAN"]);
      const there = (await objectsOf(mesh, "gamma")).get(id);
      assert.deepEqual(kinds(there), ["program", "program", "up", "up", "veth"]);
      assert.deepEqual(
        HOSTS.map((host) => mesh.agent(host).tunnelling.identifiers.size),
        [1, 1, 2],
      );
      await mesh.sleep(3_600_000);
      assert.deepEqual(
        (await objectsOf(mesh, "gamma")).get(id),
        there,
        "an hour of refreshes has changed nothing",
      );
      await mesh.agent("alpha").attachments.delete([REF]);
      await mesh.sleep(1_000);
      await mesh.holdsNothing();
      assert.deepEqual(
        HOSTS.map((host) => mesh.agent(host).tunnelling.identifiers.size),
        [0, 0, 0],
      );
    });
  });

  test("has its part of the path on each host", async () => {
    const mesh = newMesh();
    await mesh.run(async () => {
      await bring(mesh);
      assert.match(await pathOf(mesh, "alpha"), /^vxlan vni [0-9]+ alpha→gamma, gamma→beta$/);
      assert.match(
        await pathOf(mesh, "gamma"),
        /^vxlan vni [0-9]+ alpha→gamma, vxlan vni [0-9]+ gamma→beta$/,
      );
      assert.match(await pathOf(mesh, "beta"), /^alpha→gamma, vxlan vni [0-9]+ gamma→beta$/);
    });
  });
});

suite("a wire over a third host, and agents that start again", () => {
  for (const restarted of HOSTS)
    test(`does not change when ${restarted} starts again`, async () => {
      const mesh = newMesh();
      await mesh.run(async () => {
        await bring(mesh);
        const look = async () => await Promise.all(HOSTS.map((host) => objectsOf(mesh, host)));
        const before = await look();
        await mesh.restart(restarted);
        assert.deepEqual(await look(), before);
        mesh.reaches(["alpha", "a1"], ["beta", "b1"], "web-db");
        await mesh.sleep(600_000);
        assert.deepEqual(await look(), before);
        assert.deepEqual(
          HOSTS.map((host) => mesh.agent(host).wires.unclaimed),
          [[], [], []],
        );
        await mesh.agent("alpha").attachments.delete([REF]);
        await mesh.sleep(1_000);
        await mesh.holdsNothing();
      });
    });

  test("is swept from the third host when no client requests it after a restart of that host", async () => {
    const mesh = newMesh();
    await mesh.run(async () => {
      await bring(mesh);
      mesh.simulation.crash("gamma");
      mesh.simulation.crash("alpha");
      await mesh.sleep(100);
      mesh.simulation.restart("gamma");
      await mesh.sleep(3_000);
      assert.equal(mesh.agent("gamma").wires.unclaimed.length, 1);
      mesh.reaches(["alpha", "a1"], ["beta", "b1"], "web-db");
      await mesh.sleep(120_000);
      assert.deepEqual([...(await objectsOf(mesh, "gamma")).keys()], []);
      assert.deepEqual(mesh.agent("gamma").wires.unclaimed, []);
    });
  });

  test("is removed from the third host at a restart if one of its tunnels is gone", async () => {
    const mesh = newMesh();
    await mesh.run(async () => {
      await bring(mesh);
      mesh.simulation.crash("gamma");
      mesh.simulation.crash("alpha");
      const [tunnel] = (await mesh.simulation.kernel("gamma").observe([{ netns: "host" }])).filter(
        (object) => object.kind === "program" && object.tunnel,
      );
      assert.ok(tunnel);
      await mesh.simulation.kernel("gamma").apply([{ verb: "remove", object: tunnel }]);
      mesh.simulation.restart("gamma");
      await mesh.sleep(3_000);
      assert.deepEqual([...(await objectsOf(mesh, "gamma")).keys()], []);
    });
  });

  test("is made again over the same host after that was down for a while", async () => {
    const mesh = newMesh();
    await mesh.run(async () => {
      await bring(mesh);
      await mesh.restart("gamma", 30_000);
      await mesh.sleep(10_000);
      mesh.reaches(["alpha", "a1"], ["beta", "b1"], "web-db");
      assert.equal(mesh.agent("alpha").attachments.find(REF)?.view.state, "up");
    });
  });
});

suite("an impossible `via`", () => {
  for (const [hosts, reason] of [
    [["delta"], /go over host delta: the registry has no forwarder of this host/],
    [["beta", "gamma"], /go over host gamma: endpoint db\.beta is on beta itself/],
  ] as const)
    test(`is refused with its reason, and leaves nothing: via: [${hosts.join(", ")}]`, async () => {
      const mesh = newMesh();
      await mesh.run(async () => {
        await mesh.sleep(1_000);
        await mesh.apply("beta", DB);
        const { attachments } = mesh.agent("alpha");
        await attachments.apply(read(over(...hosts)));
        await mesh.sleep(3_000);
        assert.match(attachments.find(REF)?.view.reason ?? "", reason);
        await mesh.holdsNothing();
      });
    });

  test("with the client's or the endpoint's own host changes nothing", async () => {
    const mesh = newMesh();
    await mesh.run(async () => {
      await bring(mesh, over("alpha", "beta"));
      mesh.reaches(["alpha", "a1"], ["beta", "b1"], "web-db");
      assert.match(await pathOf(mesh, "alpha"), /^vxlan vni [0-9]+ alpha→beta$/);
      assert.equal(mesh.agent("gamma").wires.made.size, 0);
    });
  });
});
