/**
 * A service chain on the real kernel: every packet of the client passes a firewall, which is a process of its own beside
 * the agents, and routes between its two wires.
 *
 * ```
 *   alpha 10.1.0.1 ──────────────────────────────── beta 10.1.0.2
 *     web ══ veth ══ fw ═══════════ vxlan ═══════════ shop          or shop on alpha: web ══ fw ══ shop
 * ```
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { create } from "@bufbuild/protobuf";
import { NetworkServiceEndpointSchema } from "../src/api/gen/nsm/registry_pb.js";
import { serveConnections, stationsOver } from "../src/api/hops.ts";
import { serveAll } from "../src/api/rpc.ts";
import { diff } from "../src/forwarder/reconcile/diff.ts";
import { labIdentity } from "../src/identity/lab-identity.ts";
import { agentSocket, findDaemons } from "../src/lab/daemons.ts";
import { labFixture, type LabFixture } from "../fixtures/lab/lab.ts";
import { netnsOf } from "../src/lab/topology/topology.ts";
import { ping } from "../src/linux/icmp/icmp.ts";
import { needsRoot } from "../fixtures/linux/netns.ts";
import { passthrough } from "../src/roles/passthrough-fixture.ts";
import { nodeWorld } from "../src/transport/node-world.ts";
import type { Kernel, Netns } from "../src/kernel/kernel.ts";
import { until } from "../fixtures/async/until.ts";

const skip = needsRoot;
const netloomPath = fileURLToPath(new URL("../bin/netloom", import.meta.url));

const FRAME = `name: NAME
hosts:
  alpha: { workloads: [web, fw, shop] }
  beta: { workloads: [shop] }
links:
  - { ends: [alpha, beta], subnets: [10.1.0.0/24] }
registry: alpha
agents: true
attachments:
  - kind: NetworkService
    name: shop
    matches:
      - { sourceSelector: { app: firewall }, routes: [{ destinationSelector: { app: shop } }] }
      - { routes: [{ destinationSelector: { app: firewall } }] }
`;
const SHOP = `  - { kind: Expose, name: shop, workload: HOST/shop, services: [shop], labels: { app: shop }, pools: [10.9.0.0/24], acceptRoutes: [10.8.0.0/24] }\n`;
const WEB = `  - { kind: Connect, name: web, workload: alpha/web, service: shop, interface: to-shop }\n`;
const SHOP_ADDRESS = "10.9.0.0";

function runIn(lab: LabFixture, place: string, ...program: string[]): string {
  const ran = spawnSync(netloomPath, ["lab", "exec", lab.name, place, "--", ...program], {
    encoding: "utf8",
  });
  assert.equal(ran.status, 0, ran.stderr);
  return ran.stdout;
}

/** It asks the agent of alpha for the next wire. The result registers it there, which a new agent wants to hear again. */
async function startFirewall(t: TestContext, lab: LabFixture): Promise<() => Promise<unknown>> {
  const folder = mkdtempSync(join(tmpdir(), "netloom-firewall-"));
  const world = nodeWorld({
    host: "firewall",
    identity: labIdentity,
  });
  t.after(async () => {
    await world.close();
    rmSync(folder, { recursive: true });
  });
  const agent = world.hops.dial(`unix://${agentSocket(lab.name, "alpha")}`);
  const { connections, endpoints } = stationsOver(agent, world.clock);
  const role = passthrough({
    world,
    name: "firewall",
    identity: labIdentity(world),
    netns: netnsOf(lab.name, "alpha/fw"),
    next: connections,
    labels: { app: "firewall" },
    pools: [["10.8.0.0/24"]],
  });
  const url = `unix://${folder}/firewall.sock`;
  await world.hops.serve(url, serveAll(serveConnections(role)));
  const own = create(NetworkServiceEndpointSchema, {
    name: "firewall",
    url,
    networkServiceNames: ["shop"],
    networkServiceLabels: { shop: { labels: { app: "firewall" } } },
  });
  return () => endpoints.request({ scope: world.scope, deadlineMs: world.clock.monotonicMs() + 10_000 }, own);
}

for (const host of ["alpha", "beta"] as const)
  test(
    `a client reaches a shop on ${host} through a firewall, also while the agents are killed, and its end is the end of both wires`,
    { skip },
    async (t) => {
      const lab = await labFixture(t);
      const frame = FRAME + SHOP.replace("HOST", host);
      await lab.up(frame);
      const bpffs = mkdtempSync(join(tmpdir(), "netloom-bpf-"));
      t.after(() => rmSync(bpffs, { recursive: true }));
      const kernels = new Map<string, Kernel>();
      for (const each of ["alpha", "beta"]) {
        const kernel = await lab.machine.kernel({ host: netnsOf(lab.name, each), bpffs });
        t.after(() => kernel.close());
        kernels.set(each, kernel);
      }
      const register = await startFirewall(t, lab);
      await register();
      runIn(lab, "alpha/fw", "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward");
      await lab.up(frame + WEB);
      const look = async () => {
        const places: Netns[] = ["alpha/web", "alpha/fw", `${host}/shop`].map((place) =>
          netnsOf(lab.name, place),
        );
        const seen = await Promise.all(
          [...kernels.values()].map((kernel) =>
            kernel.observe([{ netns: "host" }, ...places.map((netns) => ({ netns }))]),
          ),
        );
        return seen.flat();
      };
      const reach = async (): Promise<boolean> =>
        (await ping(lab.machine, { netns: netnsOf(lab.name, "alpha/web"), address: SHOP_ADDRESS })).rttMs !==
        undefined;
      const indexes = () =>
        [
          ["alpha/web", "to-shop"],
          ["alpha/fw", "in-1"],
          ["alpha/fw", "out-1"],
        ].map(([place = "", name = ""]) =>
          runIn(lab, place, "sed", "-n", "s/^ifIndex//p", `/proc/net/dev_snmp6/${name}`),
        );
      assert.ok(await reach(), "through the firewall");
      const before = indexes();
      for (const killed of ["alpha", "beta"]) {
        const agent = () =>
          findDaemons(lab.name).find((each) => each.kind === "agent" && each.host === killed);
        process.kill(agent()?.pid ?? assert.fail(), "SIGKILL");
        await until(() => !agent());
        assert.ok(await reach(), `without an agent on ${killed}`);
        const [{ attachments }] = await Promise.all([lab.up(frame + WEB), until(register)]);
        assert.ok(attachments.every(({ isUp }) => isUp));
        assert.ok(await reach(), `with a new agent on ${killed}`);
        assert.deepEqual(indexes(), before, `devices after a restart of ${killed}`);
      }
      await lab.up(frame);
      await until(async () => (await look()).length === 0);
      assert.deepEqual(diff([], await look()), []);
    },
  );
