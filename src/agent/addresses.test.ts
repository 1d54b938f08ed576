/** The addresses of a workload with several wires and its own network. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { STRANGERS_MARK } from "../../e2e/kernel/kernel-contract-harness.ts";
import { NetworkServiceRequestSchema } from "../api/gen/nsm/networkservice_pb.js";
import { NetworkServiceEndpointSchema } from "../api/gen/nsm/registry_pb.js";
import { serveConnections, stationsOver } from "../api/hops.ts";
import { serveAll } from "../api/rpc.ts";
import { connectionOf, ipContextOf, type ConnectionElement } from "../elements/connection.ts";
import { ConnectionDoor } from "../elements/door.ts";
import { ipam } from "../elements/context/ipam.ts";
import { endpointDevice } from "../elements/wires/devices.ts";
import { mechanisms } from "../elements/mechanisms/mechanisms.ts";
import { MonitorBoard } from "../elements/upkeep/monitor-board.ts";
import { timeout } from "../elements/upkeep/timeout.ts";
import { updateToken } from "../elements/path/update-token.ts";
import { labIdentity } from "../identity/lab-identity.ts";
import { AgentMesh, read } from "../../fixtures/roles/agent.ts";
import type { AgentRole } from "./agent.ts";

const expose = (name: string, workload: string, pools: string): string => `
apiVersion: netloom.dev/v1alpha1
kind: NetworkServiceProvider
metadata: { name: ${name} }
spec:
  workload: { lab: lab/beta/${workload} }
  services: [${name}]
  pools: ${pools}
`;
const connect = (name: string, workload: string, service: string): string => `
apiVersion: netloom.dev/v1alpha1
kind: NetworkServiceClient
metadata: { name: ${name} }
spec:
  workload: { lab: lab/alpha/${workload} }
  service: ${service}
`;

const documents = (...parts: readonly string[]): string => parts.join("---\n");

/** Checks that each far end is reached over its own wire. Returns the addresses of both ends of each client. */
function check(
  mesh: AgentMesh,
  wires: readonly (readonly [name: string, from: string, to: string])[],
): string[] {
  const pairs: string[] = [];
  for (const [name, from, to] of wires) {
    mesh.reaches(["alpha", from], ["beta", to], name);
    const { own, far } = mesh.addresses("alpha", name);
    const { connectionId = "" } =
      mesh.agent("alpha").attachments.find({ kind: "NetworkServiceClient", name }) ?? {};
    const made = mesh.agent("alpha").wires.made.get(connectionId);
    const device = made?.wire.client.type === "KERNEL" ? made.wire.client.interfaceName : undefined;
    // The way back ends at the device of this wire, not at another device with the same address.
    const source = mesh.machine.reaches(mesh.netnsOf("beta", to), own);
    assert.equal(source?.link, device, `${own} of ${name}`);
    pairs.push(own, far);
  }
  return pairs;
}

for (const seed of ["1", "2", "3"])
  test(`two clients of one workload that request two services with one pool at once get different addresses (seed ${seed})`, async () => {
    const mesh = new AgentMesh({ seed });
    await mesh.run(async () => {
      await mesh.sleep(100);
      const pools = "[10.96.0.0/28]";
      await mesh.apply("beta", documents(expose("left", "b1", pools), expose("right", "b2", pools)));
      await mesh.apply("alpha", documents(connect("l", "a1", "left"), connect("r", "a1", "right")));
      const pairs = check(mesh, [
        ["l", "a1", "b1"],
        ["r", "a1", "b2"],
      ]);
      assert.equal(new Set(pairs).size, 4, pairs.join(" "));
    });
  });

for (const seed of ["1", "2", "3"])
  test(`the workload of an endpoint with two services and one pool has no far address twice (seed ${seed})`, async () => {
    const mesh = new AgentMesh({ seed });
    await mesh.run(async () => {
      await mesh.sleep(100);
      await mesh.apply(
        "beta",
        documents(expose("one", "b1", "[10.97.0.0/28]"), expose("two", "b1", "[10.97.0.0/28]")),
      );
      await mesh.apply("alpha", documents(connect("g1", "a1", "one"), connect("g2", "a2", "two")));
      const pairs = check(mesh, [
        ["g1", "a1", "b1"],
        ["g2", "a2", "b1"],
      ]);
      assert.equal(new Set(pairs).size, 4, pairs.join(" "));
      await mesh.restart("beta");
      await mesh.sleep(10_000);
      check(mesh, [
        ["g1", "a1", "b1"],
        ["g2", "a2", "b1"],
      ]);
    });
  });

test("a pool that contains a workload's gateway, address or network gives only other addresses, at both ends", async () => {
  const mesh = new AgentMesh();
  await mesh.run(async () => {
    for (const [host, workload, own, via] of [
      ["alpha", "a1", "10.96.0.2/29", "10.96.0.1"],
      ["beta", "b1", "10.96.0.18/29", "10.96.0.17"],
    ] as const) {
      const netns = mesh.netnsOf(host, workload);
      mesh.machine.plantUplink({ netns, name: "eth0", addresses: [own], fabric: host });
      const stranger = mesh.machine.kernel({ host: netns, mark: STRANGERS_MARK });
      const route = { kind: "route", netns: "host", link: "eth0", destination: "0.0.0.0/0", via } as const;
      await stranger.apply([{ verb: "add", object: route }]);
    }
    await mesh.sleep(100);
    await mesh.apply("beta", expose("left", "b1", "[10.96.0.0/27]"));
    await mesh.apply("alpha", documents(connect("l", "a1", "left"), connect("again", "a1", "left")));
    const pairs = check(mesh, [
      ["l", "a1", "b1"],
      ["again", "a1", "b1"],
    ]);
    assert.deepEqual(pairs.sort(), ["10.96.0.10", "10.96.0.11", "10.96.0.8", "10.96.0.9"]);
  });
});

const SERVICES = documents(
  "apiVersion: networkservicemesh.io/v1\nkind: NetworkService\nmetadata: { name: left }\n",
  "apiVersion: networkservicemesh.io/v1\nkind: NetworkService\nmetadata: { name: right }\n",
);
const SOCKET = "unix:///run/stranger.sock";

/** An endpoint of another program in beta's b2. `addresses` gives the addresses of both ends, and may ignore exclusions. */
async function stranger({ world }: AgentRole, addresses: ConnectionElement): Promise<void> {
  if (world.host !== "beta") return;
  const { endpoints } = stationsOver(world.hops.dial("unix:///run/beta.sock"), world.clock);
  const role = new ConnectionDoor({
    world,
    name: "stranger",
    identity: labIdentity(world),
    board: new MonitorBoard(),
    elements: [
      updateToken(labIdentity(world)),
      timeout(),
      mechanisms([endpointDevice({ place: { netns: "file:///run/netns/nl-lab-beta-b2" } })]),
      addresses,
    ],
  });
  await world.hops.serve(SOCKET, serveAll(serveConnections(role)));
  const own = create(NetworkServiceEndpointSchema, {
    name: "stranger",
    url: SOCKET,
    networkServiceNames: ["left", "right"],
    networkServiceLabels: { left: {}, right: {} },
  });
  world.scope.spawn("register", async (scope) => {
    await world.clock.sleep(100, scope);
    await endpoints.request({ scope, deadlineMs: world.clock.monotonicMs() + 5_000 }, own);
  });
}

test("a program that uses one pool for two services has no far address twice, whatever its clients are", async () => {
  const pools = [["10.98.0.0/28"]];
  const [left, right] = [ipam("left", { pools }), ipam("right", { pools })];
  const mesh = new AgentMesh({
    beside: (role) =>
      stranger(role, {
        name: "two pools",
        request: (call, request, next) =>
          (request.connection?.networkService === "left" ? left : right).request?.(call, request, next) ??
          next(request),
        close: async (call, connection, next) => {
          await (connection.networkService === "left" ? left : right).close?.(call, connection, next);
        },
      }),
  });
  await mesh.run(async () => {
    await mesh.sleep(200);
    await mesh.apply("beta", SERVICES);
    await mesh.apply("alpha", documents(connect("l", "a1", "left"), connect("r", "a2", "right")));
    const pairs = check(mesh, [
      ["l", "a1", "b2"],
      ["r", "a2", "b2"],
    ]);
    assert.equal(new Set(pairs).size, 4, pairs.join(" "));
  });
});

test("an endpoint that gives a far address twice is refused with the address and the other wire, and nothing is half made", async () => {
  const mesh = new AgentMesh({
    beside: (role) =>
      stranger(role, {
        name: "fixed",
        async request(_call, request, next) {
          const ip = ipContextOf(connectionOf(request));
          Object.assign(ip, { srcIpAddrs: ["10.98.0.1/32"], dstIpAddrs: ["10.98.0.0/32"] });
          return await next(request);
        },
      }),
  });
  await mesh.run(async () => {
    await mesh.sleep(200);
    await mesh.apply("beta", SERVICES);
    await mesh.apply("alpha", connect("l", "a1", "left"));
    const { attachments: alpha, wires } = mesh.agent("alpha");
    for (const workload of ["a1", "a2"]) {
      await alpha.apply(read(connect("r", workload, "right")));
      await mesh.sleep(1_000);
      const view = alpha.find({ kind: "NetworkServiceClient", name: "r" })?.view;
      assert.equal(view?.state, "failed");
      assert.match(
        view.reason,
        /10\.98\.0\.1 is the far end of left-\S+ in the endpoint's workload already, for wire \S+$/,
      );
      assert.equal(view.error?.topic, "NL-502");
      assert.equal(wires.made.size, 1);
      await alpha.delete([{ kind: "NetworkServiceClient", name: "r" }]);
    }
    check(mesh, [["l", "a1", "b2"]]);
    // The address of the deleted client is free again.
    await alpha.delete([{ kind: "NetworkServiceClient", name: "l" }]);
    await mesh.apply("alpha", connect("r", "a1", "right"));
    check(mesh, [["r", "a1", "b2"]]);
    await alpha.delete([{ kind: "NetworkServiceClient", name: "r" }]);
    await mesh.holdsNothing();
  });
});

test("clients of other programs that share a workload get different addresses, also with concurrent requests", async () => {
  const mesh = new AgentMesh();
  await mesh.run(async () => {
    await mesh.sleep(100);
    const pools = "[10.96.0.0/28]";
    await mesh.apply("beta", documents(expose("left", "b1", pools), expose("right", "b2", pools)));
    const { world, wires } = mesh.agent("alpha");
    const answers = await Promise.all(
      ["left", "right"].map(async (service) => {
        const { connections } = stationsOver(world.hops.dial("unix:///run/alpha.sock"), world.clock);
        const request = create(NetworkServiceRequestSchema, {
          connection: {
            id: service,
            networkService: service,
            path: { pathSegments: [{ name: `program-${service}`, id: service }] },
          },
          mechanismPreferences: [
            {
              cls: "LOCAL",
              type: "KERNEL",
              parameters: { inodeURL: mesh.netnsOf("alpha", "a1"), name: service },
            },
          ],
        });
        const deadlineMs = world.clock.monotonicMs() + 5_000;
        return await connections.request({ scope: world.scope, deadlineMs }, request);
      }),
    );
    assert.deepEqual(
      answers.map(({ context }) => context?.ipContext?.excludedPrefixes),
      [[], []],
      "the answers do not show the prefixes that the host excluded",
    );
    for (const [service, workload] of [
      ["left", "b1"],
      ["right", "b2"],
    ] as const) {
      const context = wires.made.get(service)?.wire.context;
      const [own = "", far = ""] = [context?.srcIpAddrs?.[0], context?.dstIpAddrs?.[0]].map(
        (each) => each?.split("/")[0] ?? "",
      );
      const [here, there] = [mesh.netnsOf("alpha", "a1"), mesh.netnsOf("beta", workload)];
      assert.equal(mesh.machine.reaches(here, far)?.netns, there);
      assert.deepEqual(mesh.machine.reaches(there, own), { netns: here, link: service });
    }
  });
});
