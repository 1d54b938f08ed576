/**
 * A wire within a host is reachable while the kernel has both ends, and its conditions and events tell when it is not:
 *
 *   alpha:  web: to-db ═══ veth ═══ db: db-…
 *           web: guarded ═ veth ═ program ═ veth ═ safe: safe-…
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { netloom } from "../src/cli/spawn-netloom.ts";
import { namespaceName } from "../src/lab/topology/topology.ts";
import { labFixture } from "../fixtures/lab/lab.ts";
import { until } from "../fixtures/async/until.ts";
import { needsRoot } from "../fixtures/linux/netns.ts";

const HEAD = "apiVersion: netloom.dev/v1alpha1\nkind:";
const TEXT = `${HEAD} Lab
metadata: { name: NAME }
spec: { hosts: { alpha: { workloads: [web, db, safe] } }, agents: true }
---
${HEAD} NetworkServiceProvider
metadata: { name: db }
spec: { workload: alpha/db, services: [db], pools: [10.9.0.0/24] }
---
${HEAD} NetworkServiceProvider
metadata: { name: safe }
spec: { workload: alpha/safe, services: [safe], pools: [10.9.1.0/24], guard: true }
---
${HEAD} NetworkServiceClient
metadata: { name: web-db }
spec: { workload: alpha/web, service: db, interface: to-db }
---
${HEAD} NetworkServiceClient
metadata: { name: web-safe }
spec: { workload: alpha/web, service: safe, interface: to-safe }
`;

interface Status {
  readonly wires: readonly {
    readonly interfaces: { readonly client?: { readonly interface: string } };
    readonly reachable?: { readonly status: string };
  }[];
}

test(
  "a wire within a host is reachable until an end of it is down, and again after the repair",
  { skip: needsRoot },
  async (t) => {
    const lab = await labFixture(t);
    await lab.up(TEXT);
    const at = ["--lab", lab.name, "--host", "alpha"];
    const waited = await netloom(["wait", "client/web-db", "--for=condition=Reachable", ...at]);
    assert.deepEqual([waited.code, waited.stderr], [0, ""]);
    const statuses = async (): Promise<unknown> => {
      const { wires } = JSON.parse((await netloom(["status", ...at, "-o", "json"])).stdout) as Status;
      return Object.fromEntries(
        wires.map((wire) => [wire.interfaces.client?.interface, wire.reachable?.status]),
      );
    };
    assert.deepEqual(await statuses(), { "to-db": "True", "to-safe": "Unknown" });
    const story = async (): Promise<string[]> => {
      const { stdout } = await netloom(["events", "client/web-db", ...at, "-o", "json"]);
      const { events } = JSON.parse(stdout) as { events: { reason: string; message?: string }[] };
      return events.map(({ reason, message = "" }) => `${reason} ${message}`.trim());
    };
    const before = (await story()).length;
    execFileSync("ip", ["-n", namespaceName(lab.name, "alpha/web"), "link", "set", "to-db", "down"]);
    await until(async () => (await story()).length >= before + 2);
    assert.deepEqual((await story()).slice(before), ["Unreachable the device to-db is down", "Reachable"]);
    assert.deepEqual(await statuses(), { "to-db": "True", "to-safe": "Unknown" });
    await lab.assertHealthy();
  },
);
