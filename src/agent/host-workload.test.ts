/** The host's own namespace as a workload. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { NetworkServiceRequestSchema } from "../api/gen/nsm/networkservice_pb.js";
import type { Netns } from "../kernel/kernel.ts";
import { edited } from "../../fixtures/documents/documents.ts";
import { AgentMesh, DB, read, WEB } from "../../fixtures/roles/agent.ts";
import { peerNamed } from "../../fixtures/world/peer.ts";

const ALPHA = "/run/netns/nl-lab-alpha";
const HOST = edited(WEB, { spec: { workload: { netns: ALPHA } } });
const REF = { kind: "NetworkServiceClient", name: "web-db" } as const;

async function viewOf(mesh: AgentMesh, text: string) {
  const { attachments } = mesh.agent("alpha");
  await attachments.apply(read(text));
  await mesh.sleep(3_000);
  return attachments.find(REF)?.view ?? assert.fail("no client");
}

suite("an agent without the option for the host's own namespace", () => {
  test("makes no wire there, reports why, and makes it in another namespace", async () => {
    const mesh = new AgentMesh();
    await mesh.run(async () => {
      await mesh.sleep(100);
      await mesh.apply("beta", DB);
      const { state, reason, error } = await viewOf(mesh, HOST);
      assert.deepEqual([state, error?.code, error?.topic], ["waiting", "FAILED_PRECONDITION", "NL-409"]);
      assert.match(reason, /^it is the network namespace of this host itself/);
      await mesh.holdsNothing();
      await mesh.apply("alpha", WEB);
    });
  });

  test("refuses another program's client there, by path and by identity", async () => {
    const mesh = new AgentMesh();
    await mesh.run(async () => {
      await mesh.sleep(100);
      await mesh.apply("beta", DB);
      const { manager, world } = mesh.agent("alpha");
      const { netns } = await mesh.simulation.kernel("alpha").resolve("host");
      for (const [n, inodeURL] of ([`file://${ALPHA}`, netns] satisfies Netns[]).entries()) {
        const id = `evil-${n}`;
        const request = create(NetworkServiceRequestSchema, {
          connection: { id, networkService: "db", path: { pathSegments: [{ name: "evil", id }] } },
          mechanismPreferences: [{ cls: "LOCAL", type: "KERNEL", parameters: { inodeURL, name: "evil0" } }],
        });
        const peer = peerNamed("unix:1000");
        await assert.rejects(
          manager.request(
            { scope: world.scope, deadlineMs: world.clock.monotonicMs() + 5_000, peer },
            request,
          ),
          {
            code: "FAILED_PRECONDITION",
            topic: "NL-409",
            message: /the network namespace of this host itself/,
          },
        );
      }
      await mesh.holdsNothing();
    });
  });
});

suite("an agent whose host may be a workload", () => {
  test("makes a wire there that leaves the underlay alone", async () => {
    const mesh = new AgentMesh({ allowHostWorkload: true });
    await mesh.run(async () => {
      await mesh.sleep(100);
      await mesh.apply("beta", edited(DB, { spec: { routes: { client: ["10.7.0.0/16"] } } }));
      await mesh.apply("alpha", HOST);
      const { far } = mesh.addresses("alpha", "web-db");
      assert.equal(mesh.machine.reaches(`file://${ALPHA}`, far)?.netns, mesh.netnsOf("beta", "b1"));
    });
  });

  const cutting: readonly (readonly [string, object, RegExp])[] = [
    [
      "a default route",
      { routes: { client: ["0.0.0.0/0"] } },
      /the route 0\.0\.0\.0\/[01] would divert packets for/,
    ],
    [
      "a route to the registry",
      { routes: { client: ["10.8.0.9/32"] } },
      /the registry, 10\.8\.0\.9, into the wire/,
    ],
    [
      "a route to the other end of its tunnel",
      { routes: { client: ["10.8.0.2/31"] } },
      /the other end of a tunnel, 10\.8\.0\.2, into the wire, and cut the host off/,
    ],
    [
      "a policy for everything",
      { policyRoutes: [{ protocol: "udp" }] },
      /a policy's route 0\.0\.0\.0\/0 would divert/,
    ],
  ];
  for (const [what, spec, message] of cutting) {
    test(`refuses ${what}, names what the wire would cut off, and makes the wire when the service gives less`, async () => {
      const mesh = new AgentMesh({ allowHostWorkload: true });
      await mesh.run(async () => {
        await mesh.sleep(100);
        await mesh.apply("beta", edited(DB, { spec }));
        const { state, error } = await viewOf(mesh, HOST);
        assert.deepEqual([state, error?.code, error?.topic], ["failed", "FAILED_PRECONDITION", "NL-409"]);
        assert.match(error?.message ?? "", message);
        await mesh.holdsNothing();
        await mesh.apply("beta", DB);
        await mesh.sleep(12_000);
        assert.equal(mesh.agent("alpha").attachments.find(REF)?.view.state, "up");
      });
    });
  }

  test("accepts a policy that is for the wire's own address only", async () => {
    const mesh = new AgentMesh({ allowHostWorkload: true });
    await mesh.run(async () => {
      await mesh.sleep(100);
      await mesh.apply("beta", edited(DB, { spec: { policyRoutes: [{ from: "10.0.2.1/32" }] } }));
      await mesh.apply("alpha", HOST);
    });
  });

  test("refuses a tunnel to an address that another wire has taken", async () => {
    const mesh = new AgentMesh({ allowHostWorkload: true });
    await mesh.run(async () => {
      await mesh.sleep(100);
      const workload = { lab: "lab/alpha/a1" };
      const routes = { client: ["10.8.0.2/32"] };
      await mesh.apply(
        "alpha",
        edited(DB, { name: "local", spec: { workload, services: ["local"], routes } }),
      );
      await mesh.apply(
        "alpha",
        edited(HOST, { name: "first", spec: { service: "local", interface: "to-local" } }),
      );
      await mesh.apply("beta", DB);
      const { error } = await viewOf(mesh, WEB.replace("alpha/a1", "alpha/a2"));
      assert.match(
        error?.message ?? "",
        /the route 10\.8\.0\.2\/32 would divert packets for the other end of a tunnel/,
      );
    });
  });
});
