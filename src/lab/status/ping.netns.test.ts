/**
 * A ping proves that packets go through the wire in question, in both directions, up to its MTU.
 *
 * ```
 *   app ──── web ──── (alpha ═══ beta) ──── db
 * ```
 */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { needsRoot } from "../../../fixtures/linux/netns.ts";
import { labFixture } from "../../../fixtures/lab/lab.ts";
import { wireTexts } from "../../../fixtures/documents/documents.ts";

const skip = needsRoot;

const HOSTS = `apiVersion: netloom.dev/v1alpha1
kind: Lab
metadata: { name: NAME }
spec:
  hosts:
    alpha: { workloads: [web, app] }
    beta: { workloads: [db] }
  links:
    - [alpha, beta]
`;
const WIRES =
  HOSTS +
  wireTexts([
    "{ client: alpha/web/to-app, endpoint: alpha/app/from-web, addresses: ipv4 }",
    "{ client: alpha/web/to-db, endpoint: beta/db/from-web, addresses: ipv4 }",
  ]);
const AGENTS = `${HOSTS}  registry: alpha
  agents: true
---
apiVersion: netloom.dev/v1alpha1
kind: NetworkServiceProvider
metadata: { name: db }
spec: { workload: beta/db, services: [db], pools: [10.0.2.0/24] }
---
apiVersion: netloom.dev/v1alpha1
kind: NetworkServiceProvider
metadata: { name: app }
spec: { workload: alpha/app, services: [app], pools: [10.0.1.0/24] }
---
apiVersion: netloom.dev/v1alpha1
kind: NetworkServiceClient
metadata: { name: web-app }
spec: { workload: alpha/web, service: app, interface: to-app }
---
apiVersion: netloom.dev/v1alpha1
kind: NetworkServiceClient
metadata: { name: web-db }
spec: { workload: alpha/web, service: db, interface: to-db }
`;

const NETLOOM = fileURLToPath(new URL("../../../bin/netloom", import.meta.url));

function ip(lab: string, place: string, ...args: readonly string[]): void {
  execFileSync("ip", ["-n", `nl-${lab}-${place}`, ...args]);
}

test("a wire whose address another device has is reported, and not up", { skip }, async (t) => {
  const lab = await labFixture(t);
  await lab.up(WIRES);
  const { wires } = await lab.assertHealthy();
  const address = wires[1]?.addresses.endpoint[0] ?? "";
  ip(lab.name, "alpha-web", "route", "replace", `${address}/32`, "dev", "to-app");
  const [other, shadowed] = (await lab.status()).wires;
  assert.deepEqual([other?.state, other?.differences], ["up", []]);
  assert.equal(shadowed?.state, "down");
  assert.match(
    shadowed?.differences.join("\n") ?? "",
    new RegExp(`the workload's packets to ${address} leave by to-app: to-db is shadowed`),
  );
});

test("the side that has counted no packets is reported", { skip }, async (t) => {
  const lab = await labFixture(t);
  await lab.up(WIRES);
  const { wires } = await lab.assertHealthy();
  const client = wires[1]?.addresses.client[0] ?? "";
  // Packets that IPv6 sends by itself would be counted, too.
  for (const place of ["alpha-web", "beta-db"])
    execFileSync("ip", [
      "netns",
      "exec",
      `nl-${lab.name}-${place}`,
      "sysctl",
      "-qw",
      "net.ipv6.conf.all.disable_ipv6=1",
    ]);
  // Requests arrive, but answers are dropped.
  ip(lab.name, "beta-db", "route", "replace", "blackhole", `${client}/32`);
  const lost = (await lab.status()).wires[1];
  assert.deepEqual([lost?.state, lost?.ping?.[0]?.rttMs], ["down", undefined]);
  const found = lost?.differences.join("\n") ?? "";
  assert.match(found, /alpha\/web\/to-db has counted 0 packets, and 2 were expected/);
  assert.doesNotMatch(found, /beta\/db\/from-web has counted/);
});

test("passing small packets do not prove that the largest pass", { skip }, async (t) => {
  const lab = await labFixture(t);
  await lab.up(WIRES);
  ip(lab.name, "alpha-app", "link", "set", "from-web", "mtu", "1000");
  const [narrow] = (await lab.status()).wires;
  assert.notEqual(narrow?.ping?.[0]?.rttMs, undefined);
  assert.equal(narrow?.state, "down");
  assert.match(
    narrow?.differences.join("\n") ?? "",
    /a packet of 1500 bytes, the wire's MTU, to \S+ is not answered/,
  );
});

test(
  "netloom ping exits with 1 and reports an agent's wire that is shadowed, and exits with 0 for the other one",
  { skip },
  async (t) => {
    const lab = await labFixture(t);
    await lab.up(AGENTS);
    const { wires } = await lab.assertHealthy();
    const address = wires.find(({ wire }) => wire.endsWith("/to-db"))?.addresses.endpoint[0] ?? "";
    const ping = (name: string) =>
      spawnSync(NETLOOM, ["ping", name, "--lab", lab.name, "--host", "alpha", "-c", "1"], {
        encoding: "utf8",
      });
    assert.equal(ping("web-db").status, 0);
    ip(lab.name, "alpha-web", "route", "replace", `${address}/32`, "dev", "to-app");
    const shadowed = ping("web-db");
    assert.equal(shadowed.status, 1, shadowed.stdout + shadowed.stderr);
    assert.match(
      shadowed.stdout,
      new RegExp(`! the workload's packets to ${address} leave by to-app: to-db is shadowed`),
    );
    const other = ping("web-app");
    assert.equal(other.status, 0, other.stdout + other.stderr);
  },
);
