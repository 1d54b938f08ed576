import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import type { LabStatus } from "../../lab/lab.ts";
import { mustParseLab } from "../../lab/file/parse.ts";
import { type MeshView, meshView, problemsOf } from "../../view/mesh-view.ts";
import { plannedWire } from "../../view/planned-wire.ts";
import { hopOf } from "../../view/way.ts";
import { largeMesh } from "../../../fixtures/view/status.ts";
import { Output } from "../output.ts";
import { isHealthy, printLab } from "./lab-screen.ts";

/** Rewritten with UPDATE_GOLDEN=1; review the change. */
const golden = new URL("./lab-screen.golden.txt", import.meta.url);

const lab = mustParseLab(
  "apiVersion: netloom.dev/v1alpha1\nkind: Lab\nmetadata: { name: two }\nspec:\n  hosts: { alpha: {}, beta: {} }\n",
  "two.yaml",
);

function statusOf(view: MeshView, differences: readonly string[] = []): LabStatus {
  const state = differences.length === 0 ? "up" : "degraded";
  return { name: "two", lab, underlay: { state, differences }, ...view, problems: problemsOf(view) };
}

function drawn(status: LabStatus): string {
  const written: string[] = [];
  printLab(new Output({ write: (text) => written.push(String(text)) }, {}), status);
  return written.join("");
}

/** A wire of a lab without agents, between hosts, with an extra address in the workload. */
function withoutAgents(
  operations: Parameters<typeof plannedWire>[0]["found"][number]["operations"] = [],
): MeshView {
  const end = (host: string, workload: string) => ({
    host,
    workload,
    netns: `file:///run/netns/nl-two-${host}-${workload}`,
    interface: "nl-1",
  });
  const wire = plannedWire({
    id: "two.alpha.web.nl-1",
    interfaces: { client: end("alpha", "web"), endpoint: end("beta", "db") },
    addresses: { client: ["10.0.0.1"], endpoint: ["10.0.0.0"] },
    hops: [hopOf({ from: "alpha", to: "beta", carriers: ["vxlan"], identifier: { name: "vni", value: 42 } })],
    mtuBytes: 1446,
    found: [
      { host: "alpha", operations, received: { client: { packets: 3, bytes: 252 } } },
      { host: "beta", operations: [], received: { endpoint: { packets: 4, bytes: 336 } } },
    ],
  });
  const ping = [{ address: "10.0.0.0", rttMs: 0.11 }];
  return {
    hosts: [],
    workloads: [],
    services: [],
    endpoints: [],
    attachments: [],
    wires: [{ ...wire, ping }],
  };
}

test("labs with and without agents have the same screens as the golden file", () => {
  const [alpha, beta, gamma, delta] = largeMesh();
  assert.ok(alpha && beta && gamma && delta);
  const silent = [{ host: "delta", reason: "ask the agent of delta: nobody answers" }];
  const netns = "file:///run/netns/nl-two-alpha-web" as const;
  const address = { kind: "address", netns, link: "nl-1", address: "10.0.0.1/32" } as const;
  const screens = [
    drawn(
      statusOf(meshView([alpha, beta, gamma], { silent, isWhole: true }), ["missing: namespace of delta"]),
    ),
    drawn(statusOf(withoutAgents())),
    drawn(statusOf(withoutAgents([{ verb: "add", object: address }]))),
  ].join("\n");
  if (process.env["UPDATE_GOLDEN"] === "1") writeFileSync(golden, screens);
  assert.equal(screens, readFileSync(golden, "utf8"));
});

test("a lab is healthy if everything exists as requested and answers", () => {
  const fine = statusOf(withoutAgents());
  assert.ok(isHealthy(fine));
  assert.ok(!isHealthy(statusOf(withoutAgents(), ["missing: namespace of beta"])));
  const [wire] = fine.wires;
  assert.ok(wire);
  assert.ok(
    !isHealthy({ ...fine, wires: [{ ...wire, ping: [{ address: "10.0.0.0", reason: "timeout" }] }] }),
  );
  assert.ok(!isHealthy({ ...fine, wires: [{ ...wire, state: "healing" }] }));
});
