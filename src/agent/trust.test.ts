/** Limits of what the other side of a wire, an endpoint or a client, can do to a workload. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { ConnectionContextSchema } from "../api/gen/nsm/connectioncontext_pb.js";
import { PathSchema, type Connection } from "../api/gen/nsm/connection_pb.js";
import { NetworkServiceRequestSchema } from "../api/gen/nsm/networkservice_pb.js";
import type { KernelObject } from "../kernel/kernel.ts";
import type { AgentRole } from "./agent.ts";
import { edited } from "../../fixtures/documents/documents.ts";
import { AgentMesh, read, WEB } from "../../fixtures/roles/agent.ts";
import { StrangeEndpoint } from "../../fixtures/roles/strange-endpoint.ts";
import { peerNamed } from "../../fixtures/world/peer.ts";

type Context = MessageInitShape<typeof ConnectionContextSchema>;

const DB = `
apiVersion: netloom.dev/v1alpha1
kind: NetworkServiceProvider
metadata: { name: db }
spec:
  workload: { lab: lab/beta/b1 }
  services: [db]
  pools: [10.0.2.0/24]
  routes: { endpoint: [10.7.0.0/16] }
`;
const REF = { kind: "NetworkServiceClient", name: "web-db" } as const;

/** A client of another program on beta, in b2, that sends any context. */
class Stranger {
  readonly #role: AgentRole;
  readonly #id: string;
  #last: Connection | undefined;

  constructor(role: AgentRole, id = "evil") {
    this.#role = role;
    this.#id = id;
  }

  async ask(context: Context): Promise<Connection> {
    const { manager, world } = this.#role;
    const id = this.#id;
    const sent = create(ConnectionContextSchema, context);
    const request = create(NetworkServiceRequestSchema, {
      connection: {
        id,
        networkService: "db",
        path: this.#last?.path ?? create(PathSchema, { pathSegments: [{ name: "evil", id }] }),
        context: sent,
        ...(this.#last?.mechanism && { mechanism: this.#last.mechanism }),
      },
      mechanismPreferences: [
        {
          cls: "LOCAL",
          type: "KERNEL",
          parameters: { inodeURL: "file:///run/netns/nl-lab-beta-b2", name: id },
        },
      ],
    });
    const caller = {
      scope: world.scope,
      deadlineMs: world.clock.monotonicMs() + 5_000,
      peer: peerNamed("unix:1000"),
    };
    return (this.#last = await manager.request(caller, request));
  }
}

/** The addresses, routes, rules and neighbors of b1, without its devices. */
async function objectsOf(mesh: AgentMesh): Promise<KernelObject[]> {
  const objects = await mesh.simulation.kernel("beta").observe([{ netns: mesh.netnsOf("beta", "b1") }]);
  return objects.filter(({ kind }) => ["address", "route", "rule", "neighbor"].includes(kind));
}

function routesOf(objects: readonly KernelObject[]): string[] {
  return objects.flatMap((each) => (each.kind === "route" ? [each.destination] : [])).sort();
}

const EVIL: Readonly<Record<string, Context>> = {
  dst_routes: { ipContext: { dstRoutes: [{ prefix: "0.0.0.0/0" }, { prefix: "10.0.0.0/8" }] } },
  src_routes: { ipContext: { srcRoutes: [{ prefix: "0.0.0.0/0" }] } },
  policies: { ipContext: { policies: [{ proto: "tcp", routes: [{ prefix: "0.0.0.0/0" }] }] } },
  ip_neighbors: { ipContext: { ipNeighbors: [{ ip: "10.0.2.9", hardwareAddress: "02:00:00:00:00:09" }] } },
  dst_ip_addrs: { ipContext: { dstIpAddrs: ["192.0.2.1/8"], dstRoutes: [{ prefix: "192.0.2.9/32" }] } },
  src_ip_addrs: { ipContext: { srcIpAddrs: ["192.0.2.2/1"], dstRoutes: [{ prefix: "192.0.2.2/32" }] } },
  extra_prefixes: { ipContext: { extraPrefixes: ["10.0.0.0/8"] } },
  dns_context: { dnsContext: { configs: [{ dnsServerIps: ["192.0.2.53"], searchDomains: ["evil"] }] } },
  dst_mac: { ethernetContext: { dstMac: "02:00:00:00:00:01", vlanTag: 7 } },
};

suite("a provider", () => {
  test("accepts from a client's context only values that it gave itself, in each field, at a first request and at a refresh", async () => {
    const mesh = new AgentMesh();
    await mesh.run(async () => {
      await mesh.sleep(100);
      await mesh.apply("beta", edited(DB, { spec: { routes: undefined } }));
      const stranger = new Stranger(mesh.agent("beta"));
      const honest = await stranger.ask({});
      const before = await objectsOf(mesh);
      assert.deepEqual(routesOf(before), []);
      for (const [field, context] of Object.entries(EVIL)) {
        const answer = await stranger.ask(context);
        assert.deepEqual(answer.context, honest.context, field);
        assert.deepEqual(await objectsOf(mesh), before, field);
      }
      for (const [field, context] of Object.entries(EVIL)) {
        const first = await new Stranger(mesh.agent("beta"), field).ask(context);
        assert.deepEqual(first.context?.ipContext?.policies, [], field);
        assert.deepEqual(routesOf(await objectsOf(mesh)), [], field);
      }
    });
  });

  test("accepts routes of a client inside of its acceptRoutes, and drops them when acceptRoutes changes", async () => {
    const mesh = new AgentMesh();
    await mesh.run(async () => {
      await mesh.sleep(100);
      await mesh.apply("beta", edited(DB, { spec: { acceptRoutes: ["10.20.0.0/16"] } }));
      const stranger = new Stranger(mesh.agent("beta"));
      const dstRoutes = ["10.20.1.0/24", "10.20.0.0/16", "10.0.0.0/8"].map((prefix) => ({ prefix }));
      await stranger.ask({ ipContext: { dstRoutes } });
      assert.deepEqual(routesOf(await objectsOf(mesh)), ["10.20.0.0/16", "10.20.1.0/24", "10.7.0.0/16"]);
      await mesh.apply("beta", edited(DB, { spec: { acceptRoutes: ["10.20.1.0/24"] } }));
      await stranger.ask({ ipContext: { dstRoutes } });
      assert.deepEqual(routesOf(await objectsOf(mesh)), ["10.20.1.0/24", "10.7.0.0/16"]);
    });
  });

  test("that is polite keeps a client's addresses of full length and the routes to them, but no networks", async () => {
    const mesh = new AgentMesh();
    await mesh.run(async () => {
      await mesh.sleep(100);
      await mesh.apply("beta", edited(DB, { spec: { addressPolicy: "polite" } }));
      const { context } = await new Stranger(mesh.agent("beta")).ask({
        ipContext: {
          srcIpAddrs: ["192.0.2.2/32", "198.51.100.2/24"],
          dstIpAddrs: ["192.0.2.1/32", "198.51.100.1/24"],
          srcRoutes: [{ prefix: "192.0.2.1/32" }, { prefix: "0.0.0.0/0", nextHop: "192.0.2.1" }],
          dstRoutes: [{ prefix: "192.0.2.2/32" }, { prefix: "0.0.0.0/0", nextHop: "192.0.2.2" }],
        },
      });
      assert.deepEqual(context?.ipContext?.srcIpAddrs, ["192.0.2.2/32", "10.0.2.1/32"]);
      assert.deepEqual(context?.ipContext?.dstIpAddrs, ["192.0.2.1/32", "10.0.2.0/32"]);
      assert.ok(!routesOf(await objectsOf(mesh)).includes("0.0.0.0/0"));
    });
  });
});

suite("a client", () => {
  test("with acceptRoutes refuses an endpoint with other routes, names the field, and is up when the endpoint gives less", async () => {
    const mesh = new AgentMesh();
    await mesh.run(async () => {
      await mesh.sleep(100);
      const routes = { client: ["10.7.0.0/16"] };
      await mesh.apply("beta", edited(DB, { spec: { routes, policyRoutes: [{ protocol: "tcp" }] } }));
      const { attachments } = mesh.agent("alpha");
      await attachments.apply(read(edited(WEB, { spec: { acceptRoutes: ["10.7.0.0/16"] } })));
      await mesh.sleep(3_000);
      const { state, error } = attachments.find(REF)?.view ?? {};
      assert.deepEqual([state, error?.code, error?.topic], ["failed", "INVALID_ARGUMENT", "NL-408"]);
      assert.match(
        error?.message ?? "",
        /NetworkServiceClient web-db: policies has 0\.0\.0\.0\/0, which its acceptRoutes do not/,
      );
      await mesh.apply("beta", edited(DB, { spec: { routes } }));
      await mesh.sleep(12_000);
      mesh.reaches(["alpha", "a1"], ["beta", "b1"], "web-db");
    });
  });

  const lies: readonly (readonly [string, Context, RegExp])[] = [
    [
      "an address that it excludes",
      { ipContext: { srcIpAddrs: ["10.5.0.1/32"], dstIpAddrs: ["10.5.0.2/32"] } },
      /src_ip_addrs has 10\.5\.0\.1\/32, which its excludedPrefixes forbid, dst_ip_addrs has 10\.5\.0\.2/,
    ],
    ["an MTU above its own", { MTU: 9000 }, /MTU is 9000, above its limit of 1400/],
    [
      "an address that makes a route to everything",
      { ipContext: { srcIpAddrs: ["10.6.0.1/0"], dstIpAddrs: ["10.6.0.2/32"] } },
      /src_ip_addrs has 0\.0\.0\.0\/0, which its acceptRoutes do not/,
    ],
  ];
  for (const [what, answer, message] of lies) {
    test(`refuses an endpoint that gives ${what}, and leaves its workload as it was`, async () => {
      const mesh = new AgentMesh({ beside: (role) => new StrangeEndpoint({ context: answer }).serve(role) });
      await mesh.run(async () => {
        await mesh.sleep(500);
        const { attachments } = mesh.agent("alpha");
        const spec = { mtu: 1400, excludedPrefixes: ["10.5.0.0/16"], acceptRoutes: ["10.7.0.0/16"] };
        await attachments.apply(read(edited(WEB, { spec })));
        await mesh.sleep(3_000);
        const { error } = attachments.find(REF)?.view ?? {};
        assert.match(error?.message ?? "", message);
        assert.equal(error?.code, "INVALID_ARGUMENT");
        await mesh.holdsNothing();
      });
    });
  }
});
