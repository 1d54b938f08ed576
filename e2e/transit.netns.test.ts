/**
 * A wire over a third host, requested by the host's name, on the real kernel:
 *
 * ```
 *   alpha ──┐        web ══ veth ══ alpha ))) vxlan ((( gamma ))) vxlan ((( beta ══ veth ══ db
 *   gamma ──┼─ r1
 *   beta  ──┘
 * ```
 */
import { clientDocument } from "../fixtures/documents/documents.ts";
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { until } from "../fixtures/async/until.ts";
import { findDaemons } from "../src/lab/daemons.ts";
import { labFixture, type LabFixture } from "../fixtures/lab/lab.ts";
import { netnsOf } from "../src/lab/topology/topology.ts";
import { needsRoot } from "../fixtures/linux/netns.ts";

const skip = needsRoot;
const netloomPath = fileURLToPath(new URL("../bin/netloom", import.meta.url));
const HOSTS = ["alpha", "beta", "gamma"] as const;

const LAB = `apiVersion: netloom.dev/v1alpha1
kind: Lab
metadata: { name: NAME }
spec:
  hosts:
    alpha: { workloads: [web] }
    beta: { workloads: [db] }
    gamma:
  routers: [r1]
  links:
    - [alpha, r1]
    - [beta, r1]
    - [gamma, r1]
  registry: beta
  agents: true
---
apiVersion: netloom.dev/v1alpha1
kind: NetworkServiceProvider
metadata: { name: db }
spec: { workload: beta/db, services: [db], pools: [10.9.0.0/24] }
`;
const WEB = `---\napiVersion: netloom.dev/v1alpha1\nkind: NetworkServiceClient\nmetadata: { name: web }\nspec: { workload: alpha/web, service: db, interface: to-db, via: [gamma] }\n`;
const DB = "10.9.0.0";

/** Runs a command that must succeed, and returns its output. */
function netloom(...args: readonly string[]): string {
  const ran = spawnSync(netloomPath, args, { encoding: "utf8" });
  assert.equal(ran.status, 0, ran.stdout + ran.stderr);
  return ran.stdout;
}

/** Opens a connection to a TCP server in db that echoes lines through the wire, for as long as the connection lives. */
async function conversation(t: TestContext, lab: LabFixture): Promise<(line: string) => Promise<string>> {
  const inPlace = (place: string, program: string, ...args: readonly string[]) => {
    const child = spawn(
      "nsenter",
      [`--net=${netnsOf(lab.name, place).slice("file://".length)}`, process.execPath, "-e", program, ...args],
      { stdio: ["pipe", "pipe", "inherit"] },
    );
    t.after(async () => {
      if (child.exitCode !== null) return;
      child.kill("SIGKILL");
      await once(child, "exit");
    });
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
    return { child, next: async () => String((await lines.next()).value) };
  };
  const server = inPlace(
    "beta/db",
    `require("node:net").createServer((socket) => socket.pipe(socket)).listen(7000, "${DB}", () => console.log("ready"))`,
  );
  assert.equal(await server.next(), "ready");
  const client = inPlace(
    "alpha/web",
    `const socket = require("node:net").connect(7000, "${DB}"); process.stdin.pipe(socket); socket.pipe(process.stdout)`,
  );
  return async (line) => {
    client.child.stdin.write(`${line}\n`);
    return await client.next();
  };
}

/** Names and received bytes of Netloom's devices in a host's namespace. */
function devicesOf(lab: LabFixture, host: string): Map<string, number> {
  const text = spawnSync(
    "nsenter",
    [`--net=${netnsOf(lab.name, host).slice("file://".length)}`, "cat", "/proc/net/dev"],
    { encoding: "utf8" },
  ).stdout;
  return new Map(
    [...text.matchAll(/^\s*(nl[vpx]\w+):\s*(\d+)/gm)].map(([, name = "", bytes]) => [name, Number(bytes)]),
  );
}

test(
  "a wire over a third host carries TCP, reports its path, survives a restart of the agent there, and leaves nothing",
  { skip },
  async (t) => {
    const lab = await labFixture(t);
    await lab.up(LAB + WEB);
    const { wires } = await lab.assertHealthy();
    assert.deepEqual(
      wires.map(({ client, path, mtuBytes }) => [client, path.replaceAll(/\d+/g, "N"), mtuBytes]),
      [["alpha/web", "vxlan vni N alpha→gamma, vxlan vni N gamma→beta", 1446]],
    );
    const say = await conversation(t, lab);
    // More than one segment of TCP at once.
    const long = "x".repeat(200_000);
    assert.equal(await say(long), long);
    const through = devicesOf(lab, "gamma");
    // A pair between two tunnels, and the objects that the tunnels share.
    const pair = [...through].filter(([name]) => name.startsWith("nlp"));
    assert.deepEqual([through.size, pair.length], [3, 2]);
    for (const [name, bytes] of pair) assert.ok(bytes > long.length, `${name}: ${bytes}`);

    const at = ["--lab", lab.name, "--host", "alpha"];
    assert.match(
      netloom("ping", "web", "--count", "1", ...at),
      /^web: vxlan vni \d+ alpha→gamma, gamma→beta\n/,
    );
    assert.match(
      netloom("why", "web", "db", ...at),
      /\nthe path of its wire: vxlan vni \d+ alpha→gamma, gamma→beta\n$/,
    );
    const graph = netloom("graph", "--lab", lab.name);
    assert.match(
      graph,
      /alpha\/web\/to-db +──▶ db\.beta +vxlan vni \d+ alpha→gamma, vxlan vni \d+ gamma→beta\n/,
    );
    assert.match(graph, /\n {2}gamma\n/);

    const agent = findDaemons(lab.name).find(({ kind, host }) => kind === "agent" && host === "gamma");
    assert.ok(agent);
    process.kill(agent.pid, "SIGKILL");
    assert.equal(await say("without an agent on gamma"), "without an agent on gamma");
    await lab.up(LAB + WEB);
    assert.deepEqual(
      [...devicesOf(lab, "gamma").keys()],
      [...through.keys()],
      "the next one has taken it over",
    );
    assert.equal(await say("with the next one"), "with the next one");
    await until(() => {
      const { wires: known } = JSON.parse(
        netloom("status", "-o", "json", "--lab", lab.name, "--host", "gamma"),
      ) as { readonly wires: readonly { readonly state: string }[] };
      assert.deepEqual(
        known.map(({ state }) => state),
        ["up"],
        "alpha has asked for it again",
      );
      return true;
    });

    await lab.up(LAB);
    await until(() => {
      for (const host of HOSTS) assert.deepEqual([...devicesOf(lab, host).keys()], [], host);
      return true;
    });
  },
);

test("an error's reason from beta arrives at alpha through gamma, with its fields", { skip }, async (t) => {
  const lab = await labFixture(t);
  const small = LAB.replace("10.9.0.0/24", "10.9.0.0/31").replace("[web]", "[web, batch]");
  await lab.up(small + WEB);
  await lab.assertHealthy();
  const at = ["--lab", lab.name, "--host", "alpha"];
  const workload = { lab: `${lab.name}/alpha/batch` };
  const late = JSON.stringify(clientDocument("late", { workload, service: "db", via: ["gamma"] }));
  const applied = spawnSync(netloomPath, ["apply", "-f", "-", ...at], { encoding: "utf8", input: late });
  assert.equal(applied.status, 0, applied.stderr);
  await until(() => {
    // It exits with 1 because an attachment is not up.
    const status = spawnSync(netloomPath, ["status", "-o", "json", ...at], { encoding: "utf8" });
    const { attachments } = JSON.parse(status.stdout) as {
      readonly attachments: readonly {
        readonly name: string;
        readonly topic?: string;
        readonly cause?: object;
      }[];
    };
    const { topic, cause } = attachments.find(({ name }) => name === "late") ?? {};
    assert.deepEqual(
      [topic, cause],
      ["NL-501", { name: "NO_FREE_ADDRESS", fields: { endpoint: "db.beta", pools: "10.9.0.0/31" } }],
    );
    return true;
  });
});
