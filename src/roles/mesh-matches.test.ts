/** Services whose matches change while wires are up. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Connection } from "../api/gen/nsm/connection_pb.js";
import { Mesh, type MeshHost } from "../../fixtures/roles/mesh.ts";

/** Clients with `team: a` get endpoints of `colour`, all other clients get blue endpoints. */
const leadingTo = (colour: string) => ({
  name: "shop",
  matches: [
    { sourceSelector: { team: "a" }, routes: [{ destinationSelector: { colour } }] },
    { routes: [{ destinationSelector: { colour: "blue" } }] },
  ],
});

function colouredMesh() {
  const mesh = new Mesh();
  const { alpha, beta } = mesh;
  mesh.offer(leadingTo("blue"));
  const blue = alpha.newEndpoint("blue-1", { service: "shop", labels: { colour: "blue" } });
  const green = beta.newEndpoint("green-1", {
    service: "shop",
    labels: { colour: "green" },
    addresses: { pools: [["10.0.0.0/24"]] },
  });
  return { mesh, alpha, beta, blue, green, ...alpha.newClient("client") };
}

const askAs = (host: MeshHost, id: string, team: string) =>
  host.ask(id, "shop", { labels: { team }, name: `nsm-${id}` });

const endpointsOf = (connections: readonly Connection[]): Record<string, string> =>
  Object.fromEntries(connections.map((each) => [each.id, each.networkServiceEndpointName]));

test("a connection whose endpoint no longer matches heals to an endpoint that matches; others stay unchanged", async () => {
  const { mesh, alpha, blue, green, role, news } = colouredMesh();
  await mesh.run(async () => {
    await role.request(alpha.caller(), askAs(alpha, "a1", "a"));
    await role.request(alpha.caller(), askAs(alpha, "b1", "b"));
    assert.deepEqual(endpointsOf(role.established()), { a1: "blue-1", b1: "blue-1" });
    assert.equal(mesh.serviceWatches.size, 1, "one watch for a service");
    news.splice(0);
    mesh.offer(leadingTo("green"));
    await alpha.world.clock.sleep(1_000);
    assert.deepEqual(endpointsOf(role.established()), { a1: "green-1", b1: "blue-1" });
    assert.deepEqual(
      news.map(({ id, state }) => `${id} ${state}`),
      ["a1 healing", "a1 up"],
    );
    assert.deepEqual([blue.established().length, green.established().length], [1, 1]);
    const { srcIpAddrs, dstIpAddrs } = role.established()[0]?.context?.ipContext ?? {};
    assert.deepEqual(
      [srcIpAddrs, dstIpAddrs],
      [["10.0.0.1/32"], ["10.0.0.0/32"]],
      "no address of the old endpoint",
    );
    const { machine } = mesh.worlds;
    assert.equal(machine.reaches(alpha.workloads[0], "10.0.0.0")?.netns, mesh.beta.workloads[1]);
    for (const connection of role.established()) await role.close(alpha.caller(), connection);
    await alpha.world.clock.sleep(1);
    assert.equal(mesh.serviceWatches.size, 0);
    await mesh.holdsNothing();
  });
});

test("a connection without a matching endpoint is closed, and comes back with a matching endpoint", async () => {
  const { mesh, alpha, blue, role, news } = colouredMesh();
  await mesh.run(async () => {
    await role.request(alpha.caller(), askAs(alpha, "a1", "a"));
    mesh.offer(leadingTo("red"));
    await alpha.world.clock.sleep(5_000);
    assert.deepEqual(blue.established(), []);
    assert.equal(news.at(-1)?.state, "healing");
    mesh.offer(leadingTo("blue"));
    await alpha.world.clock.sleep(15_000);
    assert.deepEqual(endpointsOf(role.established()), { a1: "blue-1" });
    assert.equal(news.at(-1)?.state, "up");
  });
});

test("a client that named its endpoint in the request keeps it", async () => {
  const { mesh, alpha, role, news } = colouredMesh();
  await mesh.run(async () => {
    const request = askAs(alpha, "a1", "a");
    if (request.connection) request.connection.networkServiceEndpointName = "green-1";
    await role.request(alpha.caller(), request);
    mesh.offer({ ...leadingTo("blue"), payload: "ETHERNET" });
    await alpha.world.clock.sleep(600_000);
    assert.deepEqual(endpointsOf(role.established()), { a1: "green-1" });
    assert.ok(news.every(({ state }) => state === "up"));
  });
});

test("stale matches close nothing; when the registry is back the next refresh applies the new ones", async () => {
  const { mesh, alpha, role } = colouredMesh();
  await mesh.run(async () => {
    await role.request(alpha.caller(), askAs(alpha, "a1", "a"));
    mesh.isRegistryCurrent = false;
    mesh.offer(leadingTo("green"));
    await alpha.world.clock.sleep(600_000);
    assert.deepEqual(endpointsOf(role.established()), { a1: "blue-1" });
    mesh.isRegistryCurrent = true;
    await alpha.world.clock.sleep(300_000);
    assert.deepEqual(endpointsOf(role.established()), { a1: "green-1" });
  });
});

test("an endpoint that is not in the registry is kept", async () => {
  const { mesh, alpha, role, news } = colouredMesh();
  await mesh.run(async () => {
    await role.request(alpha.caller(), askAs(alpha, "a1", "a"));
    mesh.registered.splice(
      mesh.registered.findIndex(({ endpoint }) => endpoint.name === "blue-1"),
      1,
    );
    mesh.offer(leadingTo("green"));
    await alpha.world.clock.sleep(10_000);
    assert.deepEqual(endpointsOf(role.established()), { a1: "blue-1" });
    assert.equal(news.length, 1);
  });
});

test("a returning client that requests its old endpoint gets an endpoint that matches now", async () => {
  const { mesh, alpha, role } = colouredMesh();
  await mesh.run(async () => {
    const answer = await role.request(alpha.caller(), askAs(alpha, "a1", "a"));
    await role.close(alpha.caller(), answer);
    mesh.offer(leadingTo("green"));
    const next = alpha.newClient("client");
    const again = askAs(alpha, "a1", "a");
    again.connection = answer;
    // By now no connection has a watch on the service.
    await next.role.request(alpha.caller(), again);
    await alpha.world.clock.sleep(1_000);
    assert.deepEqual(endpointsOf(next.role.established()), { a1: "green-1" });
  });
});

test("many connections are moved a few at a time, and all of them are moved", async () => {
  const { mesh, alpha, blue, green, role } = colouredMesh();
  await mesh.run(async () => {
    for (let n = 0; n < 80; n++) await role.request(alpha.caller(), askAs(alpha, `c${n}`, "a"));
    mesh.offer(leadingTo("green"));
    await alpha.world.clock.sleep(90);
    const left = blue.established().length;
    assert.ok(left >= 55 && left < 80, `${left} of 80 are left after a tenth of a second`);
    await alpha.world.clock.sleep(5_000);
    assert.deepEqual([blue.established().length, green.established().length], [0, 80]);
    assert.equal(mesh.serviceWatches.size, 1);
  });
});
