/** Roles behind encoded messages: the view of another implementation's client, and the messages that it can send. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { WireType } from "@bufbuild/protobuf/wire";
import fc from "fast-check";
import {
  type Connection,
  ConnectionEventType,
  ConnectionSchema,
  MonitorScopeSelectorSchema,
  PathSchema,
} from "../api/gen/nsm/connection_pb.js";
import { NetworkServiceRequestSchema } from "../api/gen/nsm/networkservice_pb.js";
import { serveConnections, stationsOver } from "../api/hops.ts";
import { LocalDirectory } from "../api/directory.ts";
import { serveAll } from "../api/rpc.ts";
import { NetloomError } from "../errors/errors.ts";
import type { Hop, IncomingMessage, Message } from "../world/hops.ts";
import { farAddressOf, type MeshHost, pathOf, shopMesh } from "../../fixtures/roles/mesh.ts";
import { peerNamed } from "../../fixtures/world/peer.ts";

/** A host's manager behind a hop with encoded messages, whose peer uses a unix socket. */
function bytesTo(host: MeshHost): Hop {
  const handler = serveAll(serveConnections(host.manager));
  const incoming = (method: string, { bytes, metadata }: Message): IncomingMessage => ({
    method,
    bytes: bytes.slice(),
    metadata,
    ...host.caller(),
    peer: peerNamed("unix"),
  });
  return {
    peer: async () => peerNamed("unix"),
    call: (method, message) => handler.call(incoming(method, message)),
    watch: (method, message) => handler.watch(incoming(method, message)),
  };
}

test("a client of another implementation requests, watches and closes with encoded messages; an unknown field is passed on", async () => {
  const { mesh, alpha, shop } = shopMesh("remote");
  await mesh.run(async () => {
    const { connections } = stationsOver(bytesTo(alpha), alpha.world.clock);
    const request = alpha.ask("c1", "shop");
    assert.ok(request.connection);
    request.connection.path = create(PathSchema, { pathSegments: [{ name: "nsc", id: "c1" }] });
    request.connection.$unknown = [
      { no: 99, wireType: WireType.LengthDelimited, data: new Uint8Array([2, 104, 105]) },
    ];
    const call = alpha.caller();
    const watch = connections.monitor(
      call,
      create(MonitorScopeSelectorSchema, { pathSegments: [{ id: "c1" }] }),
    );
    assert.equal((await watch.take())?.type, ConnectionEventType.INITIAL_STATE_TRANSFER);
    const answer = await connections.request(call, request);
    assert.equal(answer.path?.pathSegments.length, 6);
    assert.deepEqual(answer.$unknown, request.connection.$unknown);
    assert.deepEqual(shop.established()[0]?.$unknown, request.connection.$unknown);
    const event = await watch.take();
    assert.equal(event?.type, ConnectionEventType.UPDATE);
    assert.deepEqual(Object.keys(event?.connections ?? {}), [answer.path?.pathSegments[1]?.id]);
    await connections.close(call, answer);
    assert.equal((await watch.take())?.type, ConnectionEventType.DELETE);
    watch.close();
    await mesh.holdsNothing();
  });
});

test("any bytes and any message are answered, or refused with a code, and leave nothing behind", async () => {
  const { mesh, alpha } = shopMesh("local");
  const hop = bytesTo(alpha);
  const word = fc.oneof(
    fc.string({ unit: "binary", maxLength: 20 }),
    fc.constantFrom("", "c1", "nsc", "manager-alpha", "shop", "KERNEL", "VXLAN", "LOCAL", "UP"),
  );
  const pairs = fc.dictionary(fc.oneof(word, fc.constantFrom("name", "inodeURL", "vni", "src_ip")), word, {
    maxKeys: 4,
  });
  const mechanism = fc.record({ cls: word, type: word, parameters: pairs });
  const connection = fc.record({
    id: word,
    networkService: word,
    networkServiceEndpointName: word,
    payload: fc.constantFrom("", "ETHERNET", "x"),
    labels: pairs,
    state: fc.integer({ min: 0, max: 9 }),
    mechanism,
    path: fc.record({
      index: fc.nat(3),
      pathSegments: fc.array(fc.record({ name: word, id: word, token: word }), { maxLength: 4 }),
    }),
    context: fc.record({
      ipContext: fc.record({ srcIpAddrs: fc.array(word), excludedPrefixes: fc.array(word) }),
      MTU: fc.nat(70_000),
    }),
  });
  const message = fc
    .tuple(connection, fc.array(mechanism, { maxLength: 3 }))
    .map(([init, mechanismPreferences]) => ({
      request: toBinary(
        NetworkServiceRequestSchema,
        create(NetworkServiceRequestSchema, { connection: init, mechanismPreferences }),
      ),
      close: toBinary(ConnectionSchema, create(ConnectionSchema, init)),
    }));
  const bytes = fc.uint8Array({ maxLength: 200 }).map((each) => ({ request: each, close: each }));
  await mesh.run(async () => {
    for (const { request, close } of fc.sample(fc.oneof(message, bytes), { numRuns: 300, seed: 1 })) {
      for (const [verb, sent] of [
        ["Request", request],
        ["Close", close],
      ] as const) {
        try {
          await hop.call(
            `/networkservice.NetworkService/${verb}`,
            { bytes: sent, metadata: {} },
            { timeoutMs: 1 },
          );
        } catch (error) {
          assert.ok(error instanceof NetloomError, String(error));
          assert.ok(error.message.length < 2_000, error.message);
        }
      }
    }
    for (const { id } of alpha.manager.established()) await alpha.manager.drop(id);
    await mesh.holdsNothing();
  });
});

test("a directory connects roles of this process by their own URLs, and dials every other URL once", async () => {
  const { mesh, alpha } = shopMesh("local");
  await mesh.run(async () => {
    const dialled: string[] = [];
    const directory = new LocalDirectory(
      {
        dial: (url) => {
          if (url === "tcp://nonsense")
            throw new NetloomError("INVALID_ARGUMENT", "dial tcp://nonsense: no port");
          dialled.push(url);
          return bytesTo(alpha);
        },
      },
      alpha.world.clock,
    );
    const close = (url: string) => directory.connect(url).connections.close(alpha.caller(), {} as Connection);
    await assert.rejects(close("self:manager"), { code: "UNAVAILABLE", message: /nobody serves that there/ });
    const stations = stationsOver(bytesTo(alpha), alpha.world.clock);
    const takeBack = directory.offer("self:manager", { connections: stations.connections });
    assert.equal(directory.connect("self:manager").connections, stations.connections);
    takeBack();
    await assert.rejects(close("self:manager"), { code: "UNAVAILABLE" });
    await assert.rejects(close("tcp://nonsense"), { code: "INVALID_ARGUMENT", message: /no port/ });
    assert.equal(directory.connect("unix:///a"), directory.connect("unix:///a"));
    assert.deepEqual(dialled, ["unix:///a"]);
  });
});

test("any id within the protocol's limits works on both hosts; an empty id is refused at the door", async () => {
  const { mesh, alpha, shop } = shopMesh("remote");
  await mesh.run(async () => {
    const { connections } = stationsOver(bytesTo(alpha), alpha.world.clock);
    const ask = (id: string) => {
      const request = alpha.ask(id, "shop", { name: "nsm-1" });
      assert.ok(request.connection);
      request.connection.path = create(PathSchema, { pathSegments: [{ name: "nsc", id }] });
      return connections.request(alpha.caller(), request);
    };
    for (const id of ["x".repeat(256), "ö".repeat(256), "two\nlines"]) {
      const answer = await ask(id);
      assert.equal(answer.id, id);
      const { machine } = mesh.worlds;
      assert.equal(machine.reaches(alpha.workloads[0], farAddressOf(answer))?.netns, mesh.beta.workloads[1]);
      await connections.close(alpha.caller(), answer);
      await mesh.holdsNothing();
    }
    const asked = shop.established().length;
    await assert.rejects(ask(""), { code: "INVALID_ARGUMENT", message: /the id of segment 0 is empty/ });
    await assert.rejects(ask("x".repeat(257)), { code: "INVALID_ARGUMENT", message: /256 are allowed/ });
    assert.equal(shop.established().length, asked);
  });
});

test("the wire of a client of another implementation passes a host named in a label, and a close removes it on all three hosts", async () => {
  const { mesh, alpha, beta, shop } = shopMesh("remote");
  const gamma = mesh.newHost("gamma", "10.8.0.3");
  gamma.register("forwarder-gamma", "forwarder", { nodeName: "gamma" });
  await mesh.run(async () => {
    const { connections } = stationsOver(bytesTo(alpha), alpha.world.clock);
    const request = alpha.ask("c1", "shop", { labels: { "netloom.via": "gamma", app: "web" } });
    assert.ok(request.connection);
    request.connection.path = create(PathSchema, { pathSegments: [{ name: "nsc", id: "c1" }] });
    const answer = await connections.request(alpha.caller(), request);
    const hosts = ["alpha", "gamma", "beta"].flatMap((host) => [`manager-${host}`, `forwarder-${host}`]);
    assert.deepEqual(pathOf(answer), ["nsc", ...hosts, "shop-1"]);
    assert.equal(answer.labels["netloom.via"], "gamma", "the client sees its own label");
    assert.equal(shop.established()[0]?.labels["netloom.via"], undefined, "and the endpoint none");
    assert.equal(shop.established()[0]?.labels["app"], "web");
    assert.equal(answer.context?.MTU, 1446);
    const { machine } = mesh.worlds;
    assert.equal(machine.reaches(alpha.workloads[0], farAddressOf(answer))?.netns, beta.workloads[1]);
    const kinds = (await gamma.objects()).map(({ kind }) => kind).sort();
    assert.deepEqual(kinds, ["external-vxlan", "program", "program", "program", "up", "up", "up", "veth"]);
    assert.equal(gamma.identifiers.size, 2);
    const again = await connections.request(alpha.caller(), { ...request, connection: answer });
    assert.deepEqual(pathOf(again), pathOf(answer));
    await connections.close(alpha.caller(), again);
    await mesh.holdsNothing();
  });
});
