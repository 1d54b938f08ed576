/** Every call that a process serves is authorized before anything is done. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { create, type DescMessage, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { ApplyRequestSchema, Agent as AdminApi } from "../api/gen/netloom/admin/v1/admin_pb.js";
import { LeaseSchema, Registry as RegistryApi } from "../api/gen/netloom/registry_pb.js";
import { ConnectionSchema, MonitorConnection } from "../api/gen/nsm/connection_pb.js";
import {
  NetworkService as NetworkServiceApi,
  NetworkServiceRequestSchema,
} from "../api/gen/nsm/networkservice_pb.js";
import {
  NetworkServiceEndpointRegistry,
  NetworkServiceEndpointSchema,
  NetworkServiceRegistry,
  NetworkServiceSchema,
} from "../api/gen/nsm/registry_pb.js";
import { methodPath, serveAll, type Served } from "../api/rpc.ts";
import type { Identity } from "../identity/identity.ts";
import { labIdentity } from "../identity/lab-identity.ts";
import { isSamePrincipal } from "../world/peer.ts";
import { peerNamed } from "../../fixtures/world/peer.ts";
import type { HostWorld, World } from "../world/world.ts";
import { AgentMesh } from "../../fixtures/roles/agent.ts";

const STRANGER = peerNamed("unix:1666");

/** Refuses every call of the stranger, and records the questions. */
function refusing(asked: string[]): (world: HostWorld) => Identity {
  return (world) => {
    const usual = labIdentity(world);
    return {
      ...usual,
      authorize: (question) => {
        const { principal, action, resource } = question;
        if (!isSamePrincipal(principal, STRANGER.principal)) return usual.authorize(question);
        asked.push(`${action} ${resource.kind}`);
        return { rule: "test", code: "PERMISSION_DENIED", reason: "not you" };
      },
    };
  };
}

const bytes = <D extends DescMessage>(schema: D, init: MessageInitShape<D>): Uint8Array =>
  toBinary(schema, create(schema, init));
const connection = {
  id: "c1",
  networkService: "shop",
  path: { pathSegments: [{ name: "client", id: "c1" }] },
};
const [service, endpoint] = [NetworkServiceRegistry.method, NetworkServiceEndpointRegistry.method];
const serviceBytes = bytes(NetworkServiceSchema, { name: "shop" });
const endpointBytes = bytes(NetworkServiceEndpointSchema, { name: "shop-1", url: "unix:///run/shop.sock" });
const admin = AdminApi.method;

/** The authorization question of each method. */
const EXPECTED: ReadonlyMap<string, readonly [asked: string, request?: Uint8Array]> = new Map(
  [
    [
      NetworkServiceApi.method.request,
      "request connection",
      bytes(NetworkServiceRequestSchema, { connection }),
    ],
    [NetworkServiceApi.method.close, "close connection", bytes(ConnectionSchema, connection)],
    [MonitorConnection.method.monitorConnections, "monitor connections"],
    [service.register, "register service", serviceBytes],
    [service.unregister, "unregister service", serviceBytes],
    [service.find, "find services"],
    [endpoint.register, "register endpoint", endpointBytes],
    [endpoint.unregister, "unregister endpoint", endpointBytes],
    [endpoint.find, "find endpoints"],
    [RegistryApi.method.keepAlive, "register lease", bytes(LeaseSchema, { name: "alpha" })],
    [RegistryApi.method.watch, "find registry"],
    [admin.apply, "own host"],
    [admin.delete, "own host"],
    [admin.get, "read host"],
    [admin.status, "read host"],
    [admin.watch, "read host"],
    [admin.ping, "operate host"],
    [admin.capture, "own host"],
    [admin.why, "read host"],
    [admin.graph, "read host"],
    [admin.events, "read host"],
  ].map(([method, ...expected]) => [
    methodPath(method as Parameters<typeof methodPath>[0]),
    expected as [string],
  ]),
);

async function checkAll(served: readonly Served[], world: World, asked: string[]): Promise<void> {
  const handler = serveAll(served);
  for (const { path, kind } of handler.methods) {
    const [expected, request = new Uint8Array()] =
      EXPECTED.get(path) ?? assert.fail(`${path} asks for nothing`);
    const incoming = {
      method: path,
      bytes: request,
      metadata: {},
      peer: STRANGER,
      scope: world.scope,
      deadlineMs: 1e9,
    };
    const answer = async (): Promise<unknown> =>
      kind === "call" ? await handler.call(incoming) : await handler.watch(incoming).take();
    await assert.rejects(answer(), { code: "PERMISSION_DENIED", message: /: not you$/ }, path);
    assert.deepEqual(asked.splice(0), [expected], path);
  }
}

suite("each call is authorized once", () => {
  test("of an agent", async () => {
    const asked: string[] = [];
    const mesh = new AgentMesh({ identity: refusing(asked) });
    await mesh.run(async () => {
      await mesh.sleep(100);
      const { served, world } = mesh.agent("alpha");
      await checkAll(served, world, asked);
      const handler = serveAll(served);
      const dryRun = bytes(ApplyRequestSchema, { dryRun: true });
      const method = methodPath(admin.apply);
      const call = {
        method,
        bytes: dryRun,
        metadata: {},
        peer: STRANGER,
        scope: world.scope,
        deadlineMs: 1e9,
      };
      await assert.rejects(handler.call(call), { code: "PERMISSION_DENIED" });
      assert.deepEqual(asked, ["read host"], "to look at what would change");
    });
  });

  test("of a registry", async () => {
    const asked: string[] = [];
    const mesh = new AgentMesh({ identity: refusing(asked) });
    await mesh.run(async () => {
      await mesh.sleep(100);
      await checkAll(mesh.registry?.served ?? [], mesh.agent("alpha").world, asked);
    });
  });
});

test("a host cannot be commanded from another host, by any listener", async () => {
  const mesh = new AgentMesh();
  await mesh.run(async () => {
    await mesh.sleep(100);
    const { served, world } = mesh.agent("alpha");
    const handler = serveAll(served);
    const peer = peerNamed("tcp:10.8.0.2");
    for (const method of Object.values(admin)) {
      const path = methodPath(method);
      const incoming = {
        method: path,
        bytes: new Uint8Array(),
        metadata: {},
        peer,
        scope: world.scope,
        deadlineMs: 1e9,
      };
      const answer = async (): Promise<unknown> =>
        method.methodKind === "unary" ? await handler.call(incoming) : await handler.watch(incoming).take();
      await assert.rejects(
        answer(),
        { code: "PERMISSION_DENIED", message: /a host is commanded from itself$/ },
        path,
      );
    }
  });
});
