/**
 * The namespace of a host as a workload, on the real kernel. The host is alpha; its namespace has many names:
 *
 * ```
 *   alpha 10.1.0.1 ──────── beta 10.1.0.2
 *     agent, registry         agent
 *     web                     db
 * ```
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { findDaemons } from "../src/lab/daemons.ts";
import { labFixture, type LabFixture } from "../fixtures/lab/lab.ts";
import { namespaceName } from "../src/lab/topology/topology.ts";
import { needsRoot } from "../fixtures/linux/netns.ts";

const netloomPath = fileURLToPath(new URL("../bin/netloom", import.meta.url));

const TEXT = `apiVersion: netloom.dev/v1alpha1
kind: Lab
metadata: { name: NAME }
spec:
  hosts:
    alpha: { workloads: [web] }
    beta: { workloads: [db] }
  links:
    - { ends: [alpha, beta], subnets: [10.1.0.0/24] }
  registry: alpha
  agents: true
  hostWorkloads: HOST_WORKLOADS
---
apiVersion: netloom.dev/v1alpha1
kind: NetworkServiceProvider
metadata: { name: db }
spec: { workload: beta/db, services: [db], pools: [10.9.0.0/24] }
---
apiVersion: netloom.dev/v1alpha1
kind: NetworkServiceProvider
metadata: { name: all }
spec: { workload: beta/db, services: [all], pools: [10.8.0.0/24], routes: { client: [10.0.0.0/8] } }
`;

interface Applied {
  readonly attachments: readonly {
    readonly name: string;
    readonly state: string;
    readonly reason?: string;
    readonly topic?: string;
  }[];
}

/**
 * Applies documents and asks until all attachments are in one of the states `ends`. Returns each one: it is up, or has
 * a reason with a page.
 */
function apply(
  lab: LabFixture,
  documents: string,
  ends: readonly string[] = ["up", "failed"],
): Applied["attachments"] {
  const args = ["apply", "-f", "-", "--wait", "0.5", "--lab", lab.name, "--host", "alpha", "-o", "json"];
  for (let n = 0; ; n++) {
    const ran = spawnSync(netloomPath, args, { encoding: "utf8", input: documents });
    assert.notEqual(ran.stdout, "", ran.stderr);
    const { attachments } = JSON.parse(ran.stdout) as Applied;
    // During a retry the state is `requesting`, with the reason of the last attempt.
    const isOver = attachments.every(
      ({ state, topic }) => ends.includes(state) && (state === "up" || topic !== undefined),
    );
    if (n === 40 || isOver) return attachments;
  }
}

const connect = (name: string, workload: string, service: string): string =>
  `apiVersion: netloom.dev/v1alpha1\nkind: NetworkServiceClient\nmetadata: { name: ${name} }\nspec:\n  workload: ${workload}\n  service: ${service}\n  interface: ${name}\n`;

test(
  "a host's own namespace is recognized by its identity, whatever its name, and may not be a workload",
  { skip: needsRoot },
  async (t) => {
    const lab = await labFixture(t);
    await lab.up(TEXT.replace("HOST_WORKLOADS", "false"));
    const agent = findDaemons(lab.name).find(({ kind, host }) => kind === "agent" && host === "alpha");
    assert.ok(agent);
    const folder = mkdtempSync(join(tmpdir(), "netloom-bound-"));
    const bound = join(folder, "bound");
    writeFileSync(bound, "");
    assert.equal(spawnSync("mount", ["--bind", `/proc/${agent.pid}/ns/net`, bound]).status, 0);
    t.after(() => {
      spawnSync("umount", [bound]);
      rmSync(folder, { recursive: true });
    });
    const names = [
      `{ pid: ${agent.pid} }`,
      `{ netns: /proc/${agent.pid}/ns/net }`,
      `{ netns: /proc/${agent.pid}/task/${agent.pid}/ns/net }`,
      `{ netns: /run/netns/${namespaceName(lab.name, "alpha")} }`,
      `{ netns: ${bound} }`,
    ];
    const text = names.map((workload, n) => connect(`h${n}`, workload, "db")).join("---\n");
    for (const { name, state, reason, topic } of apply(lab, text, ["waiting"])) {
      assert.deepEqual([state, topic], ["waiting", "NL-409"], `${name}: ${reason}`);
      assert.match(reason ?? "", /this host itself/);
    }
    const self = apply(lab, connect("self", "{ netns: /proc/self/ns/net }", "db"), ["waiting"]);
    assert.deepEqual(
      self.map(({ topic }) => topic),
      ["NL-409"],
    );
  },
);

test(
  "where it may be a workload, documents that would cut the host off are refused",
  { skip: needsRoot },
  async (t) => {
    const lab = await labFixture(t);
    await lab.up(TEXT.replace("HOST_WORKLOADS", "true"));
    const place = `{ netns: /run/netns/${namespaceName(lab.name, "alpha")} }`;
    const [fine] = apply(lab, connect("fine", place, "db"));
    assert.equal(fine?.state, "up", fine?.reason);
    const [cut] = apply(lab, connect("cut", place, "all"));
    assert.deepEqual([cut?.state, cut?.topic], ["failed", "NL-409"]);
    assert.match(
      cut?.reason ?? "",
      /the route 10\.0\.0\.0\/8 would divert packets for .*10\.1\.0\.2, into the wire/,
    );
  },
);
