/** Two wires along one path: a client, a service function that forwards traffic, an endpoint. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { clone } from "@bufbuild/protobuf";
import { PathSchema } from "../api/gen/nsm/connection_pb.js";
import { connectionsOf } from "../api/hops.ts";
import { leavePath, cutPath } from "../elements/path/update-path.ts";
import { stationsOf, wireIdOf } from "../elements/wires/wire-id.ts";
import { groupByOwner } from "../forwarder/reconcile/owner.ts";
import { labIdentity } from "../identity/lab-identity.ts";
import { NetloomError } from "../errors/errors.ts";
import type { KernelObject, Netns } from "../kernel/kernel.ts";
import { addressOf, failing, Mesh, pathOf, type MeshHost } from "../../fixtures/roles/mesh.ts";
import { passthrough } from "../functions/passthrough/passthrough.ts";
import { serviceFunctionRole, type ServiceFunctionRoleOptions } from "./service-function.ts";
import { peerNamed } from "../../fixtures/world/peer.ts";

const CHAIN = {
  name: "shop",
  matches: [
    { sourceSelector: { app: "firewall" }, routes: [{ destinationSelector: { app: "shop" } }] },
    { routes: [{ destinationSelector: { app: "firewall" } }] },
  ],
};

/** The options of the firewall on any host. */
const FIREWALL: Omit<ServiceFunctionRoleOptions, "world" | "identity" | "netns" | "next"> = {
  name: "firewall",
  workload: "firewall",
  addresses: { pools: [["10.1.0.0/24"]] },
  context: () => ({}),
  labels: () => ({ app: "firewall" }),
  passage: () => passthrough.passage({}),
  answers: {
    answer: () => undefined,
    keepAnswer: () => undefined,
    dropAnswer: () => undefined,
  },
  isAlive: () => Promise.resolve(false),
};

interface Chain {
  readonly mesh: Mesh;
  readonly firewall: Netns;
  readonly shop: Netns;
  readonly role: ReturnType<MeshHost["newClient"]>["role"];
  /** Objects by wire, on every host. */
  readonly made: () => Promise<Map<string, ReadonlyMap<string, readonly KernelObject[]>>>;
}

/** The client is on alpha. */
function chainOf(at: { readonly firewall: "alpha" | "beta"; readonly shop: "alpha" | "beta" }): Chain {
  const mesh = new Mesh();
  mesh.offer(CHAIN);
  const host = mesh[at.firewall];
  const firewall = mesh.worlds.machine.createNetns(`/run/netns/firewall`);
  const role = serviceFunctionRole({
    ...FIREWALL,
    world: host.world,
    identity: labIdentity(host.world),
    netns: firewall,
    next: connectionsOf(host.manager, peerNamed("unix:1000")),
  });
  host.offer("firewall", role);
  host.register("firewall", "shop", { app: "firewall" });
  mesh[at.shop].newEndpoint("shop-1", {
    service: "shop",
    labels: { app: "shop" },
    clientRoutes: () => ["10.1.0.0/24"],
  });
  return {
    mesh,
    firewall,
    shop: mesh[at.shop].workloads[1],
    ...mesh.alpha.newClient("client"),
    made: async () => {
      const found = new Map<string, ReadonlyMap<string, readonly KernelObject[]>>();
      for (const { name, kernel, workloads } of [mesh.alpha, mesh.beta]) {
        const places: Netns[] = ["host", ...workloads, ...(name === at.firewall ? [firewall] : [])];
        const objects = await kernel.observe(places.map((netns) => ({ netns })));
        found.set(name, groupByOwner(objects).owned);
      }
      return found;
    },
  };
}

const SECOND = /^c1\.2\.[0-9a-z]{8}$/;

for (const [at, path, wires] of [
  [
    { firewall: "alpha", shop: "alpha" },
    ["client", "manager-alpha", "forwarder-alpha", "firewall", "manager-alpha", "forwarder-alpha", "shop-1"],
    { alpha: ["c1", "second"], beta: [] },
  ],
  [
    { firewall: "beta", shop: "beta" },
    "client manager-alpha forwarder-alpha manager-beta forwarder-beta firewall manager-beta forwarder-beta shop-1".split(
      " ",
    ),
    { alpha: ["c1"], beta: ["c1", "second"] },
  ],
  [
    { firewall: "beta", shop: "alpha" },
    "client manager-alpha forwarder-alpha manager-beta forwarder-beta firewall manager-beta forwarder-beta manager-alpha forwarder-alpha shop-1".split(
      " ",
    ),
    { alpha: ["c1", "second"], beta: ["c1", "second"] },
  ],
  [
    { firewall: "alpha", shop: "beta" },
    "client manager-alpha forwarder-alpha firewall manager-alpha forwarder-alpha manager-beta forwarder-beta shop-1".split(
      " ",
    ),
    { alpha: ["c1", "second"], beta: ["second"] },
  ],
] as const) {
  test(`a firewall on ${at.firewall} before a shop on ${at.shop}: two wires carry packets all the way, and one close removes both`, async () => {
    const { mesh, role, firewall, shop, made } = chainOf(at);
    const { alpha } = mesh;
    const { machine } = mesh.worlds;
    await mesh.run(async () => {
      const answer = await role.request(alpha.caller(), alpha.ask("c1", "shop"));
      assert.deepEqual(pathOf(answer), path);
      const [toFirewall, toShop] =
        answer.context?.ipContext?.srcRoutes.map(({ prefix }) => prefix.split("/")[0]) ?? [];
      assert.equal(machine.reaches(alpha.workloads[0], toFirewall ?? "")?.netns, firewall);
      assert.equal(machine.reaches(alpha.workloads[0], toShop ?? "")?.netns, shop);
      assert.equal(machine.reaches(shop, addressOf(answer))?.netns, alpha.workloads[0]);
      const ids = [...(await made()).values()].map((groups) =>
        [...groups.keys()].map((id) => (SECOND.test(id) ? "second" : id)).sort(),
      );
      assert.deepEqual(ids, [wires.alpha, wires.beta]);
      const before = await made();
      await alpha.world.clock.sleep(3_600_000);
      assert.deepEqual(await made(), before, "an hour of refreshes has changed nothing");
      await role.close(alpha.caller(), answer);
      await mesh.holdsNothing();
      for (const groups of (await made()).values()) assert.deepEqual([...groups.keys()], []);
    });
  });
}

test("both wires of a lost client are removed when its token has expired", async () => {
  const { mesh, role, made } = chainOf({ firewall: "beta", shop: "alpha" });
  const { alpha } = mesh;
  await mesh.run(async () => {
    await role.request(alpha.caller(), alpha.ask("c1", "shop"));
    // From now on no message gets from the client to its manager.
    mesh.weather = (_verb, url) => {
      if (url === "manager") throw new NetloomError("UNAVAILABLE", "call manager: cable pulled");
    };
    await alpha.world.clock.sleep(605_000);
    await mesh.holdsNothing();
    for (const groups of (await made()).values()) assert.deepEqual([...groups.keys()], []);
  });
});

test("the second wire of a path belongs to the service function: no other peer may request or close it", async () => {
  const { mesh, role } = chainOf({ firewall: "alpha", shop: "alpha" });
  const { alpha } = mesh;
  await mesh.run(async () => {
    await role.request(alpha.caller(), alpha.ask("c1", "shop"));
    const second = alpha.manager.established().find((each) => SECOND.test(wireIdOf(each)));
    assert.deepEqual(second && stationsOf(second).map(({ name }) => name), [
      "firewall",
      "manager-alpha",
      "forwarder-alpha",
      "shop-1",
    ]);
    const thief = connectionsOf(alpha.manager, peerNamed("unix:1001"));
    const stolen = alpha.ask("evil", "shop");
    assert.ok(stolen.connection && second?.path);
    stolen.connection.path = clone(PathSchema, second.path);
    leavePath(stolen.connection, 3);
    cutPath(stolen.connection.path);
    await assert.rejects(
      thief.request(alpha.caller(), stolen),
      failing("PERMISSION_DENIED", /request wire c1\.2\..*: it belongs to another peer/),
    );
  });
});
