/**
 * A service chain on the real kernel: every packet of the clients passes a workload without any program of Netloom; its
 * kernel routes between its devices.
 *
 * ```
 *   alpha 10.1.0.1 ──────────────────────────────── beta 10.1.0.2
 *     web ══ veth ══ fw ═══════════ vxlan ═══════════ shop
 *     app ══ veth ═══╯                                           or fw on beta, and shop on alpha
 * ```
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { diff } from "../src/forwarder/reconcile/diff.ts";
import { findDaemons } from "../src/lab/daemons.ts";
import { labFixture, type LabFixture } from "../fixtures/lab/lab.ts";
import { netnsOf } from "../src/lab/topology/topology.ts";
import { ping } from "../src/linux/icmp/icmp.ts";
import { needsRoot } from "../fixtures/linux/netns.ts";
import type { Kernel, KernelObject, Netns } from "../src/kernel/kernel.ts";
import { until } from "../fixtures/async/until.ts";

const skip = needsRoot;
const netloomPath = fileURLToPath(new URL("../bin/netloom", import.meta.url));

/** Both clients may have the same route, as behind a gateway. */
const FRAME = `apiVersion: netloom.dev/v1alpha1
kind: Lab
metadata: { name: NAME }
spec:
  hosts:
    alpha: { workloads: [web, app, fw, shop] }
    beta: { workloads: [fw, shop] }
  links:
    - { ends: [alpha, beta], subnets: [10.1.0.0/24] }
  registry: alpha
  agents: true
---
apiVersion: networkservicemesh.io/v1
kind: NetworkService
metadata: { name: shop }
spec:
  matches:
    - { source_selector: { app: firewall }, routes: [{ destination_selector: { app: shop } }] }
    - { routes: [{ destination_selector: { app: firewall } }] }
---
apiVersion: netloom.dev/v1alpha1
kind: ServiceFunction
metadata: { name: fw, labels: { app: firewall } }
spec:
  type: passthrough
  workload: FIREWALL/fw
  service: shop
  pools: [10.8.0.0/24, "fd00:8::/64"]
---
apiVersion: netloom.dev/v1alpha1
kind: NetworkServiceProvider
metadata: { name: shop, labels: { app: shop } }
spec:
  workload: SHOP/shop
  services: [shop]
  pools: [10.9.0.0/24, "fd00:9::/64"]
  routes: { client: [10.20.0.0/16] }
  acceptRoutes: [10.8.0.0/24, "fd00:8::/64"]
`;
const CLIENTS = ["web", "app"] as const;
const WEB = CLIENTS.map(
  (name) =>
    `---\napiVersion: netloom.dev/v1alpha1\nkind: NetworkServiceClient\nmetadata: { name: ${name} }\nspec: { workload: alpha/${name}, service: shop, interface: to-shop }\n`,
).join("");

function netloom(...args: string[]): string {
  const ran = spawnSync(netloomPath, args, { encoding: "utf8" });
  assert.equal(ran.status, 0, ran.stdout + ran.stderr);
  return ran.stdout;
}

function runIn(lab: LabFixture, place: string, ...program: string[]): string {
  return netloom("lab", "exec", lab.name, place, "--", ...program);
}

/** Addresses that a client has routes to beside the function's: those of the shop. */
function beyond(lab: LabFixture, client: string): string[] {
  const shown = JSON.parse(
    netloom("describe", client, "--lab", lab.name, "--host", "alpha", "-o", "json"),
  ) as { readonly wires: readonly { readonly routes: { readonly client: readonly string[] } }[] };
  return shown.wires
    .flatMap(({ routes }) => routes.client)
    .filter((prefix) => /^10\.9\.|^fd00:9:/.test(prefix))
    .map((prefix) => prefix.split("/")[0] ?? "");
}

for (const [firewall, shop] of [
  ["alpha", "beta"],
  ["beta", "alpha"],
] as const)
  test(
    `clients reach a shop on ${shop} through a function on ${firewall}, also while the agents are killed, and deleting them ends all wires`,
    { skip },
    async (t) => {
      const lab = await labFixture(t);
      const frame = FRAME.replace("FIREWALL", firewall).replace("SHOP", shop);
      await lab.up(frame + WEB);
      const bpffs = mkdtempSync(join(tmpdir(), "netloom-bpf-"));
      t.after(() => rmSync(bpffs, { recursive: true }));
      const kernels = new Map<string, Kernel>();
      for (const each of ["alpha", "beta"]) {
        const kernel = await lab.machine.kernel({ host: netnsOf(lab.name, each), bpffs });
        t.after(() => kernel.close());
        kernels.set(each, kernel);
      }
      const look = async (): Promise<KernelObject[]> => {
        const places: Netns[] = ["alpha/web", "alpha/app", `${firewall}/fw`, `${shop}/shop`].map((place) =>
          netnsOf(lab.name, place),
        );
        const seen = await Promise.all(
          [...kernels.values()].map((kernel) =>
            kernel.observe([{ netns: "host" }, ...places.map((netns) => ({ netns }))]),
          ),
        );
        return seen.flat();
      };
      const targets = CLIENTS.flatMap((client) =>
        beyond(lab, client).map((address) => [client, address] as const),
      );
      assert.equal(targets.length, 4, "each client has its own pair of each family");
      const reach = async (): Promise<string[]> => {
        const lost = await Promise.all(
          targets.map(async ([client, address]) => {
            const { rttMs } = await ping(lab.machine, {
              netns: netnsOf(lab.name, `alpha/${client}`),
              address,
            });
            return rttMs === undefined ? [`${client} → ${address}`] : [];
          }),
        );
        return lost.flat();
      };
      assert.deepEqual(await reach(), [], "through the function");
      const fw = `${firewall}/fw`;
      assert.equal(
        runIn(lab, fw, "cat", "/proc/sys/net/ipv4/conf/lo/forwarding").trim(),
        "0",
        "only our devices forward",
      );
      /** Devices by name and index: a new device would have another index. */
      const devices = (): string[] =>
        ["alpha/web", "alpha/app", fw, `${shop}/shop`].flatMap((place) =>
          runIn(lab, place, "sh", "-c", "grep ifIndex /proc/net/dev_snmp6/*").trim().split("\n"),
        );
      const before = devices();
      assert.equal(before.filter((name) => /\/(in|out)-[0-9a-z]{8}:/.test(name)).length, 2 * CLIENTS.length);
      for (const killed of ["alpha", "beta"]) {
        const agent = () =>
          findDaemons(lab.name).find((each) => each.kind === "agent" && each.host === killed);
        process.kill(agent()?.pid ?? assert.fail(), "SIGKILL");
        await until(() => !agent());
        assert.deepEqual(await reach(), [], `without an agent on ${killed}`);
        const { attachments } = await lab.up(frame + WEB);
        assert.ok(attachments.every(({ isUp }) => isUp));
        assert.deepEqual(await reach(), [], `with a new agent on ${killed}`);
        assert.deepEqual(devices(), before, `devices after a restart of ${killed}`);
      }
      await lab.up(frame);
      await until(async () => (await look()).length === 0);
      assert.deepEqual(diff([], await look()), []);
    },
  );
