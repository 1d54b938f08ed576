/**
 * An SDK's client through Netloom's agents to an SDK's endpoint, and the watchers of the connection.
 *
 * ```
 *  alpha 10.8.0.1 ──────────────────── beta 10.8.0.2
 *    registry :5002 (Netloom's)
 *    agent :5001, unix:alpha.sock        agent :5001, unix:beta.sock (Netloom's: manager and forwarder)
 *    web:  peer client                   db: peer endpoint "remote"
 *    shop: peer endpoint "local"
 * ```
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import {
  ConnectionEventSchema,
  ConnectionEventType,
  MonitorScopeSelectorSchema,
  State,
  type Connection,
} from "../src/api/gen/nsm/connection_pb.js";
import { NetworkServiceRequestSchema } from "../src/api/gen/nsm/networkservice_pb.js";
import { NetworkServiceSchema } from "../src/api/gen/nsm/registry_pb.js";
import { stationsOver } from "../src/api/hops.ts";
import { bare } from "./bed.ts";
import { ask, assertBothWays, close, namesOf, offer, offerOurs, ourMesh, startClient } from "./shop.ts";
import { needsPeer } from "./stranger.ts";

const skip = needsPeer;

for (const [where, place, path] of [
  ["on its host", "alpha/shop", ["nsc-1", "manager-alpha", "forwarder-alpha", "shop-1"]],
  [
    "on another host",
    "beta/db",
    ["nsc-1", "manager-alpha", "forwarder-alpha", "manager-beta", "forwarder-beta", "shop-1"],
  ],
] as const) {
  test(
    `packets of an SDK's client reach an SDK's endpoint ${where}, and a close leaves nothing`,
    { skip },
    async (t) => {
      const bed = await ourMesh(t);
      await offer(t, bed, { place, service: "shop" });
      const nsc = await startClient(t, bed);
      const connection = await ask(nsc, "shop");
      assert.deepEqual(namesOf(connection), path);
      assert.equal(connection.mechanism?.type, "KERNEL");
      assert.equal(connection.path?.index, 0);
      await assertBothWays(bed, connection, place);
      const again = await ask(nsc, "shop");
      assert.deepEqual(again.context?.ipContext?.srcIpAddrs, connection.context?.ipContext?.srcIpAddrs);
      await assertBothWays(bed, again, place);
      await close(bed, nsc, again);
    },
  );
}

test("an SDK's client receives Netloom's code, text, and reason with its fields", { skip }, async (t) => {
  const bed = await ourMesh(t);
  const nsc = await startClient(t, bed);
  await assert.rejects(ask(nsc, "nothing"), {
    code: "NotFound",
    message: /network service nothing is not found/,
    reason: "SERVICE_NOT_FOUND",
    fields: {
      service: "nothing",
      topic: "NL-302",
      hint: "`netloom get services` lists the services",
    },
  });
});

test("an SDK that watches a manager gets existing, changed and removed connections", { skip }, async (t) => {
  const bed = await ourMesh(t);
  await offer(t, bed, { place: "alpha/shop", service: "shop" });
  const nsc = await startClient(t, bed);
  const watch = (id: string) => {
    const selector = create(MonitorScopeSelectorSchema, { pathSegments: [{ id }] });
    return nsc.open("monitor", [MonitorScopeSelectorSchema, selector], ConnectionEventSchema);
  };
  const events = watch("nsc-1-shop");
  const others = watch("somebody-else");
  const first = await events.next();
  assert.equal(first?.type, ConnectionEventType.INITIAL_STATE_TRANSFER);
  assert.deepEqual(first.connections, {});
  const connection = await ask(nsc, "shop");
  const update = await events.next();
  const own = connection.path?.pathSegments[1]?.id ?? "";
  assert.equal(update?.type, ConnectionEventType.UPDATE);
  assert.deepEqual(Object.keys(update.connections), [own], "under the manager's own id");
  assert.deepEqual([update.connections[own]?.path?.index, update.connections[own]?.state], [1, State.UP]);
  const late = await watch("nsc-1-shop").next();
  assert.equal(late?.type, ConnectionEventType.INITIAL_STATE_TRANSFER);
  assert.deepEqual(Object.keys(late.connections), [own]);
  await close(bed, nsc, connection);
  const deleted = await events.next();
  assert.equal(deleted?.type, ConnectionEventType.DELETE);
  assert.deepEqual(Object.keys(deleted.connections), [own]);
  assert.deepEqual((await others.next())?.connections, {});
  others.cancel();
  assert.equal(await others.next(), undefined, "nothing that is not selected");
});

test("an SDK's client whose endpoint dies is notified, and heals to another one", { skip }, async (t) => {
  const bed = await ourMesh(t);
  const first = await offer(t, bed, { place: "alpha/shop", service: "shop", name: "shop-1" });
  const nsc = await startClient(t, bed, { heal: true });
  const selector = create(MonitorScopeSelectorSchema, { pathSegments: [{ id: "nsc-1-shop" }] });
  const events = nsc.open("monitor", [MonitorScopeSelectorSchema, selector], ConnectionEventSchema);
  const connection = await ask(nsc, "shop");
  await assertBothWays(bed, connection, "alpha/shop");
  await offer(t, bed, { place: "beta/db", service: "shop", name: "shop-2" });
  await first.program.kill();
  await events.until(({ connections }) =>
    Object.values(connections).some(({ state }) => state === State.DOWN),
  );
  const healed = await events.until(({ connections }) =>
    Object.values(connections).some(
      ({ state, networkServiceEndpointName: name }) => state === State.UP && name === "shop-2",
    ),
  );
  const [now] = Object.values(healed.connections);
  assert.ok(now);
  await assertBothWays(bed, now, "beta/db");
  await close(bed, nsc, connection);
});

test(
  "an SDK's client whose endpoint the service's matches no longer allow heals to one that they allow",
  { skip },
  async (t) => {
    const bed = await ourMesh(t);
    await offer(t, bed, { place: "alpha/shop", service: "shop", name: "blue-1", labels: { colour: "blue" } });
    const green = { colour: "green" };
    await offer(t, bed, {
      place: "beta/db",
      service: "shop",
      name: "green-1",
      labels: green,
      prefix: "172.17.0.0/24",
    });
    const world = await bed.world("operator");
    const { services } = stationsOver(world.hops.dial(bed.socket("beta")), world.clock);
    const lead = async (colour: string): Promise<void> => {
      const matches = [{ routes: [{ destinationSelector: { colour } }] }];
      const call = { scope: world.scope, deadlineMs: world.clock.monotonicMs() + 10_000 };
      await services.request(
        call,
        create(NetworkServiceSchema, { name: "shop", payload: "ETHERNET", matches }),
      );
    };
    await lead("blue");
    const nsc = await startClient(t, bed, { heal: true });
    const connection = await ask(nsc, "shop");
    assert.equal(connection.networkServiceEndpointName, "blue-1");
    await assertBothWays(bed, connection, "alpha/shop");
    const selector = create(MonitorScopeSelectorSchema, { pathSegments: [{ id: "nsc-1-shop" }] });
    const events = nsc.open("monitor", [MonitorScopeSelectorSchema, selector], ConnectionEventSchema);
    await lead("green");
    const healed = await events.until(({ connections }) =>
      Object.values(connections).some(
        ({ state, networkServiceEndpointName: name }) => state === State.UP && name === "green-1",
      ),
    );
    const [now] = Object.values(healed.connections);
    await bed.assertReaches(
      "alpha/web",
      bare(now?.context?.ipContext?.dstIpAddrs.find((each) => each.startsWith("172.17."))),
    );
    await close(bed, nsc, connection);
  },
);

for (const listens of [true, false])
  test(
    listens
      ? "an SDK's client asks again at once when the answer of Netloom's endpoint changes"
      : "an SDK's client that does not listen for that is not asked to, and gets the change with its next request",
    { skip },
    async (t) => {
      const bed = await ourMesh(t);
      let routes = ["10.77.0.0/16"];
      const role = await offerOurs(bed, { place: "beta/db", service: "shop", routes: () => routes });
      const nsc = await startClient(t, bed, { heal: true, "upstream-refresh": listens });
      const selector = create(MonitorScopeSelectorSchema, { pathSegments: [{ id: "nsc-1-shop" }] });
      const events = nsc.open("monitor", [MonitorScopeSelectorSchema, selector], ConnectionEventSchema);
      const connection = await ask(nsc, "shop");
      await events.until(({ type }) => type === ConnectionEventType.UPDATE);
      routes = ["10.78.0.0/16"];
      role.requestRefresh();
      const seen: string[] = [];
      const next = async (): Promise<Connection | undefined> => {
        const event = await events.next();
        const [told] = Object.values(event?.connections ?? {});
        seen.push(`${ConnectionEventType[event?.type ?? 0]} ${State[told?.state ?? 0]}`);
        return told;
      };
      await next();
      if (!listens) await ask(nsc, "shop");
      const now = await next();
      assert.deepEqual(seen, ["UPDATE REFRESH_REQUESTED", "UPDATE UP"]);
      assert.deepEqual(
        now?.context?.ipContext?.srcRoutes.map(({ prefix }) => prefix).filter((each) => each.endsWith("/16")),
        ["10.78.0.0/16"],
      );
      assert.deepEqual(
        now?.path?.pathSegments.map(({ id }) => id),
        connection.path?.pathSegments.map(({ id }) => id),
      );
      await assertBothWays(bed, now, "beta/db");
      await close(bed, nsc, connection);
    },
  );

test(
  "a client that sends no context, and always a path of one segment, has one connection at a strict endpoint of an SDK",
  { skip },
  async (t) => {
    const bed = await ourMesh(t);
    await offer(t, bed, { place: "beta/db", service: "shop", strict: true });
    const world = await bed.world("raw");
    const { connections } = stationsOver(world.hops.dial(bed.socket("alpha")), world.clock);
    const call = { scope: world.scope, deadlineMs: world.clock.monotonicMs() + 15_000 };
    const asked = create(NetworkServiceRequestSchema, {
      connection: {
        id: "raw-1",
        networkService: "shop",
        path: { pathSegments: [{ name: "raw", id: "raw-1" }] },
      },
      mechanismPreferences: [
        { cls: "LOCAL", type: "KERNEL", parameters: { inodeURL: bed.netnsOf("alpha/web") } },
      ],
    });
    const first = await connections.request(call, asked);
    const again = await connections.request(call, asked);
    assert.deepEqual(
      again.path?.pathSegments.map(({ id }) => id),
      first.path?.pathSegments.map(({ id }) => id),
    );
    assert.deepEqual(again.context?.ipContext?.srcIpAddrs, first.context?.ipContext?.srcIpAddrs);
    await assertBothWays(bed, again, "beta/db");
    await connections.close(call, again);
    await bed.assertEmpty("alpha", ["alpha/web", "alpha/shop"]);
    await bed.assertEmpty("beta", ["beta/db"]);
  },
);

test(
  "an SDK's endpoint that passes no file of its namespace gets no device in Netloom's host",
  { skip },
  async (t) => {
    const bed = await ourMesh(t);
    // It is reached through the path of its socket, and answers file:///proc/thread-self/ns/net.
    await offer(t, bed, { place: "alpha/shop", service: "shop", files: false });
    const nsc = await startClient(t, bed);
    await assert.rejects(ask(nsc, "shop"), /thread-self.* is another namespace for everybody who reads it/);
    await bed.assertEmpty("alpha", ["alpha/web", "alpha/shop"]);
  },
);
