/**
 * A client that speaks the protocol directly and sends a context that would reroute the workload it asks for, on the
 * real kernel:
 *
 * ```
 *   alpha, one agent
 *     gw ══ veth, the default route ══ db ══ veth ══ evil
 * ```
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { create } from "@bufbuild/protobuf";
import { NetworkServiceRequestSchema } from "../src/api/gen/nsm/networkservice_pb.js";
import { stationsOver } from "../src/api/hops.ts";
import { agentSocket } from "../src/lab/daemons.ts";
import { labFixture, type LabFixture } from "../fixtures/lab/lab.ts";
import { netnsOf } from "../src/lab/topology/topology.ts";
import { Pinger } from "../src/linux/icmp/icmp.ts";
import { needsRoot } from "../fixtures/linux/netns.ts";
import { nodeWorld } from "../src/transport/node-world.ts";
import { labIdentity } from "../src/identity/lab-identity.ts";

const netloomPath = fileURLToPath(new URL("../bin/netloom", import.meta.url));

const TEXT = `apiVersion: netloom.dev/v1alpha1
kind: Lab
metadata: { name: NAME }
spec:
  hosts:
    alpha: { workloads: [gw, db, evil] }
  agents: true
---
apiVersion: netloom.dev/v1alpha1
kind: NetworkServiceProvider
metadata: { name: gw }
spec: { workload: alpha/gw, services: [gw], pools: [10.1.0.0/24], routes: { client: [0.0.0.0/0] } }
---
apiVersion: netloom.dev/v1alpha1
kind: NetworkServiceClient
metadata: { name: db-gw }
spec: { workload: alpha/db, service: gw, interface: to-gw }
---
apiVersion: netloom.dev/v1alpha1
kind: NetworkServiceProvider
metadata: { name: db }
spec: { workload: alpha/db, services: [db], pools: [10.9.0.0/24] }
`;

/** `device destination` of each IPv4 route in the kernel. */
function routesOf(lab: LabFixture, place: string): string[] {
  const ran = spawnSync(netloomPath, ["lab", "exec", lab.name, place, "--", "cat", "/proc/net/route"], {
    encoding: "utf8",
  });
  assert.equal(ran.status, 0, ran.stderr);
  return ran.stdout
    .split("\n")
    .slice(1)
    .flatMap((line) => {
      const [device = "", destination = ""] = line.split("\t");
      return /^[0-9A-F]{8}$/.test(destination) ? [`${device.trim()} ${destination}`] : [];
    });
}

test(
  "a client's routes, policies and addresses do not get into the workload of an endpoint",
  { skip: needsRoot },
  async (t) => {
    const lab = await labFixture(t);
    await lab.up(TEXT);
    const world = nodeWorld({
      host: "evil",
      identity: labIdentity,
    });
    t.after(() => world.close());
    const before = routesOf(lab, "alpha/db");
    assert.ok(before.includes("to-gw 00000000"), before.join(", "));
    const { connections } = stationsOver(
      world.hops.dial(`unix://${agentSocket(lab.name, "alpha")}`),
      world.clock,
    );
    const request = create(NetworkServiceRequestSchema, {
      connection: {
        id: "evil-1",
        networkService: "db",
        path: { pathSegments: [{ name: "evil", id: "evil-1" }] },
        context: {
          ipContext: {
            srcIpAddrs: ["10.1.0.1/8"],
            dstIpAddrs: ["10.1.0.0/8"],
            dstRoutes: [{ prefix: "0.0.0.0/0" }, { prefix: "10.0.0.0/8" }, { prefix: "0.0.0.0/1" }],
            policies: [{ routes: [{ prefix: "0.0.0.0/0" }] }],
            ipNeighbors: [{ ip: "10.1.0.0", hardwareAddress: "02:00:00:00:00:09" }],
          },
        },
      },
      mechanismPreferences: [
        {
          cls: "LOCAL",
          type: "KERNEL",
          parameters: { inodeURL: netnsOf(lab.name, "alpha/evil"), name: "to-db" },
        },
      ],
    });
    const call = { scope: world.scope, deadlineMs: world.clock.monotonicMs() + 15_000 };
    const answer = await connections.request(call, request);
    assert.deepEqual(
      answer.context?.ipContext?.dstRoutes.map(({ prefix }) => prefix),
      ["10.9.0.1/32"],
    );
    const [added, ...more] = routesOf(lab, "alpha/db").filter((route) => !before.includes(route));
    assert.match(added ?? "", /^db-\w{4} 0100090A$/, "the way to its one client");
    assert.deepEqual(more, []);
    const pinger = await Pinger.open(lab.machine, netnsOf(lab.name, "alpha/evil"), "10.9.0.0");
    t.after(() => pinger.close());
    assert.ok((await pinger.probe({ timeoutMs: 2_000 })).rttMs !== undefined, "the wire itself works");
    await connections.close(call, answer);
    assert.deepEqual(routesOf(lab, "alpha/db"), before);
  },
);
