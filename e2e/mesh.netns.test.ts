/**
 * A registry and agents as processes, on the real kernel. The lab of most tests:
 *
 * ```
 *   alpha 10.1.0.1 ──────── r1 ──────── beta 10.2.0.2
 *     registry, agent                     agent
 *     web ═══════════ vxlan ═══════════ db
 *     app                               cache ══ veth ══ db
 * ```
 */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite, test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import type { Connection } from "../src/api/gen/nsm/connection_pb.js";
import { bringDaemons, findDaemons } from "../src/lab/daemons.ts";
import { labFixture, type LabFixture } from "../fixtures/lab/lab.ts";
import { askAgents } from "../src/lab/mesh.ts";
import { leftovers } from "../src/lab/state.ts";
import { namespaceName, netnsOf } from "../src/lab/topology/topology.ts";
import { pingAllTheTime } from "../fixtures/linux/ping-stream.ts";
import { needsRoot } from "../fixtures/linux/netns.ts";
import { between, SimRandom } from "../src/sim/random.ts";
import { endName } from "../src/view/wire-view.ts";
import { moment, until } from "../fixtures/async/until.ts";

const skip = needsRoot;
const child = fileURLToPath(new URL("../fixtures/lab/up-child.ts", import.meta.url));
const netloomPath = fileURLToPath(new URL("../bin/netloom", import.meta.url));

const FRAME = `apiVersion: netloom.dev/v1alpha1
kind: Lab
metadata: { name: NAME }
spec:
  hosts:
    alpha: { workloads: [web, app] }
    beta: { workloads: [cache, db] }
  routers: [r1]
  links:
    - { ends: [alpha, r1], subnets: [10.1.0.0/24, "fd01::/64"] }
    - { ends: [r1, beta], subnets: [10.2.0.0/24, "fd02::/64"] }
  registry: alpha
  agents: true
`;
const DB = `---\napiVersion: netloom.dev/v1alpha1\nkind: NetworkServiceProvider\nmetadata: { name: db }\nspec: { workload: beta/db, services: [db], pools: [10.9.0.0/24, "fd09::/64"] }\n`;
const WEB = `---\napiVersion: netloom.dev/v1alpha1\nkind: NetworkServiceClient\nmetadata: { name: web-db }\nspec: { workload: alpha/web, service: db, interface: to-db }\n`;
const CACHE = `---\napiVersion: netloom.dev/v1alpha1\nkind: NetworkServiceClient\nmetadata: { name: cache-db }\nspec: { workload: beta/cache, service: "kernel://db/to-db" }\n`;
const TEXT = FRAME + DB + WEB + CACHE;

/** The content of a file inside a workload, above all of /proc/net. */
function cat(lab: LabFixture, place: string, file: string): string {
  return spawnSync(netloomPath, ["lab", "exec", lab.name, place, "--", "cat", file], { encoding: "utf8" })
    .stdout;
}

function interfaceIndex(lab: LabFixture, place: string, name: string): string {
  return /^ifIndex\s+(\d+)/m.exec(cat(lab, place, `/proc/net/dev_snmp6/${name}`))?.[1] ?? "none";
}

/** Kills a process of the lab as the kernel's out-of-memory killer does. */
function kill(lab: LabFixture, kind: "agent" | "registry", host: string): void {
  const found = findDaemons(lab.name).find((each) => each.kind === kind && each.host === host);
  assert.ok(found, `the ${kind} of ${host} runs`);
  process.kill(found.pid, "SIGKILL");
}

/** Waits until the lab is healthy: a killed process takes time to disappear. */
function becomesHealthy(lab: LabFixture): Promise<Awaited<ReturnType<LabFixture["status"]>>> {
  return until(() => lab.assertHealthy());
}

suite("a mesh of processes", { skip }, () => {
  test("makes a wire within a host and one between hosts for clients that ask by name, in both families", async (t) => {
    const lab = await labFixture(t);
    const { attachments } = await lab.up(TEXT);
    assert.deepEqual(
      attachments.map(({ ref, isUp }) => [ref.name, isUp]),
      [
        ["db", true],
        ["web-db", true],
        ["cache-db", true],
      ],
    );
    const { wires } = await lab.assertHealthy();
    const seen = wires.map(({ wire, path, mtuBytes, ping = [] }) => [
      wire,
      path.replace(/\d+/, "N"),
      mtuBytes,
      ping.length,
    ]);
    assert.deepEqual(
      seen.sort((a, b) => String(a[0]).localeCompare(String(b[0]))),
      [
        ["alpha/web/to-db", "vxlan vni N alpha→beta", 1446, 2],
        ["beta/cache/to-db", "veth on beta", 1500, 2],
      ],
    );
    const again = await lab.up(TEXT);
    assert.deepEqual([again.changed, again.started], [false, []]);
  });

  test("adds, changes and removes wires while it runs, and touches no other wire", async (t) => {
    const lab = await labFixture(t);
    await lab.up(FRAME + DB + CACHE);
    const before = interfaceIndex(lab, "beta/cache", "to-db");
    await lab.up(TEXT);
    await lab.assertHealthy();
    await lab.up(TEXT.replace("interface: to-db", "interface: renamed"));
    const { wires } = await lab.assertHealthy();
    assert.deepEqual(wires.map(({ wire }) => wire).sort(), ["alpha/web/renamed", "beta/cache/to-db"]);
    await lab.up(FRAME + DB + CACHE);
    const left = await lab.assertHealthy();
    assert.deepEqual(
      left.wires.map(({ wire }) => wire),
      ["beta/cache/to-db"],
    );
    assert.doesNotMatch(cat(lab, "alpha/web", "/proc/net/dev"), /renamed|to-db/);
    assert.equal(interfaceIndex(lab, "beta/cache", "to-db"), before);
  });
});

const COUNTERS = ["client", "server"].flatMap((side) =>
  ["rx_bytes", "rx_packets", "tx_bytes", "tx_packets"].map((name) => `${side}_${name}`),
);

/** The numeric metrics of the host's forwarder, for a connection of that host. */
function carriedBy(connection: Connection | undefined): Record<string, number> {
  const metrics = connection?.path?.pathSegments[connection.path.index]?.metrics ?? {};
  return Object.fromEntries(
    Object.entries(metrics).flatMap(([name, text]) => (/^\d+$/.test(text) ? [[name, Number(text)]] : [])),
  );
}

suite("a provider that changes", { skip }, () => {
  test("gives its wires another route at once, on their host and on another, and the refresh updates the counters", async (t) => {
    const lab = await labFixture(t);
    const routed = (prefix: string): string =>
      TEXT.replace("pools:", `routes: { client: [${prefix}] }, pools:`);
    await lab.up(routed("10.77.0.0/16"));
    await lab.assertHealthy();
    const places = ["alpha/web", "beta/cache"];
    /** Prefixes of the routing table in the kernel's format: bytes from last to first. */
    const has = (place: string, hex: string): boolean =>
      cat(lab, place, "/proc/net/route").includes(`\t${hex}\t`);
    const before = places.map((place) => interfaceIndex(lab, place, "to-db"));
    assert.deepEqual(
      places.map((place) => has(place, "00004D0A")),
      [true, true],
    );
    await lab.up(routed("10.78.0.0/16"));
    await until(() => places.every((place) => has(place, "00004E0A")));
    assert.deepEqual(
      places.map((place) => [has(place, "00004D0A"), has(place, "00004E0A")]),
      [
        [false, true],
        [false, true],
      ],
    );
    assert.deepEqual(
      places.map((place) => interfaceIndex(lab, place, "to-db")),
      before,
    );
    // Echo requests have passed both wires before the refresh.
    const { statuses } = await askAgents(lab.name, ["alpha", "beta"]);
    const counted = statuses.flatMap(({ wires }) => wires.map(({ connection }) => carriedBy(connection)));
    assert.equal(counted.length, 3, "a wire on one host and two halves of one");
    for (const counters of counted) {
      assert.deepEqual(Object.keys(counters).sort(), COUNTERS);
      for (const [name, value] of Object.entries(counters)) assert.ok(value > 0, `${name} is ${value}`);
    }
    await lab.assertHealthy();
  });
});

suite("a mesh whose processes are killed", { skip }, () => {
  for (const host of ["alpha", "beta"]) {
    test(`an agent that is killed and starts again takes over its wires, and no packet is lost (${host})`, async (t) => {
      const lab = await labFixture(t);
      await lab.up(TEXT);
      const { wires } = await lab.assertHealthy();
      const remote = wires.find(({ wire }) => wire === "alpha/web/to-db");
      const pinging = await pingAllTheTime(lab.machine, {
        netns: netnsOf(lab.name, "alpha/web"),
        address: remote?.addresses.endpoint[0] ?? "",
      });
      const before = ["alpha/web", "beta/cache"].map((place) => interfaceIndex(lab, place, "to-db"));
      kill(lab, "agent", host);
      await pinging.pass(100);
      const { started } = await lab.up(TEXT);
      assert.deepEqual(started, [`agent of ${host}`]);
      const after = await becomesHealthy(lab);
      // Time in which healing would have happened.
      await pinging.pass(500);
      const { sent, lost } = await pinging.stop();
      t.diagnostic(`${sent} packets, ${lost} lost`);
      assert.ok(sent > 100);
      assert.equal(lost, 0);
      assert.deepEqual(
        ["alpha/web", "beta/cache"].map((place) => interfaceIndex(lab, place, "to-db")),
        before,
      );
      const names = (list: typeof wires) =>
        list
          .map((wire) => ({
            client: endName(wire, "client"),
            endpoint: endName(wire, "endpoint"),
            path: wire.path,
            addresses: wire.addresses,
          }))
          .sort((a, b) => a.client.localeCompare(b.client));
      assert.deepEqual(names(after.wires), names(wires));
    });
  }

  test("continues without its registry, and reconnects when it is back", async (t) => {
    const lab = await labFixture(t);
    await lab.up(FRAME + DB + WEB);
    await lab.assertHealthy();
    kill(lab, "registry", "alpha");
    const asked = spawnSync(netloomPath, ["connect", `${lab.name}/alpha/app`, "db", "--interface", "late"], {
      encoding: "utf8",
    });
    assert.equal(asked.status, 0, asked.stderr + asked.stdout);
    const { wires } = await lab.status();
    assert.deepEqual(wires.map(({ wire, state }) => `${wire} ${state}`).sort(), [
      "alpha/app/late up",
      "alpha/web/to-db up",
    ]);
    const { started } = await lab.up(TEXT);
    assert.deepEqual(started, ["registry of alpha"]);
    await becomesHealthy(lab);
  });
});

suite("a workload", { skip }, () => {
  test("can be a process: its wire ends with the process, and is never given to another process with the same ID", async (t) => {
    const lab = await labFixture(t);
    await lab.up(FRAME + DB);
    const place = ["lab", "exec", lab.name, "alpha/web", "--", "sleep", "1000"];
    const process = spawn(netloomPath, place, { stdio: "ignore" });
    t.after(() => process.kill("SIGKILL"));
    await until(() => cat(lab, "alpha/web", `/proc/${process.pid}/comm`).startsWith("sleep"));
    const ask = ["connect", `pid:${process.pid}`, "db", "--lab", lab.name, "--host", "alpha"];
    const asked = spawnSync(netloomPath, [...ask, "--interface", "mine"], { encoding: "utf8" });
    assert.equal(asked.status, 0, asked.stderr + asked.stdout);
    assert.match(cat(lab, "alpha/web", "/proc/net/dev"), /mine:/);
    process.kill("SIGKILL");
    await until(async () => (await lab.status()).wires.length === 0);
    assert.doesNotMatch(cat(lab, "alpha/web", "/proc/net/dev"), /mine:/);
    assert.match((await lab.status()).problems.join(), new RegExp(`process ${process.pid} has ended`));
  });

  test("that dies loses its wires, and gets them back with the same address when it returns", async (t) => {
    const lab = await labFixture(t);
    await lab.up(TEXT);
    const { wires } = await lab.assertHealthy();
    const own = wires.find(({ wire }) => wire === "alpha/web/to-db")?.addresses;
    await lab.machine.removeNetns(`/run/netns/${namespaceName(lab.name, "alpha/web")}`);
    await until(async () => (await lab.status()).wires.length === 1);
    assert.deepEqual(
      (await lab.status()).wires.map(({ wire }) => wire),
      ["beta/cache/to-db"],
    );
    await lab.up(TEXT);
    const after = await becomesHealthy(lab);
    assert.deepEqual(after.wires.find(({ wire }) => wire === "alpha/web/to-db")?.addresses, own);
  });
});

suite("kill -9", { skip }, () => {
  test("of a process that lab up finds while it is ending makes lab up start it again", async (t) => {
    const lab = await labFixture(t);
    await lab.up(TEXT);
    for (let n = 0; n < 5; n++) {
      const wanted = findDaemons(lab.name);
      kill(lab, "registry", "alpha");
      assert.deepEqual(await bringDaemons(lab.machine, lab.name, wanted), ["registry of alpha"]);
    }
    await becomesHealthy(lab);
  });

  // 5 s each. CI runs 20; a seed selects victims and times, as far as timing is reproducible.
  const count = Number(process.env["NETLOOM_KILLS"] ?? 3);
  const seed = process.env["NETLOOM_SEED"] ?? String(process.pid);
  const random = new SimRandom(seed, "kills");

  function fileOf(t: TestContext, lab: LabFixture): string {
    const directory = mkdtempSync(join(tmpdir(), "netloom-mesh-"));
    t.after(() => rmSync(directory, { recursive: true }));
    const file = join(directory, "lab.yaml");
    writeFileSync(file, TEXT.replace("NAME", lab.name));
    return file;
  }

  test(`of any process at any moment leaves a lab that recovers, and that is removed without a trace (${count} times)`, async (t) => {
    const lab = await labFixture(t);
    const file = fileOf(t, lab);
    t.diagnostic(`NETLOOM_SEED=${seed}`);
    const victims: string[] = [];
    for (let n = 0; n < count; n++) {
      const up = spawn(process.execPath, [child, file, "up"], { stdio: ["ignore", "pipe", "inherit"] });
      const ended = once(up, "exit");
      await once(up.stdout, "data");
      await Promise.race([moment(random.fraction("moment", n) * 2_500), ended]);
      const living = findDaemons(lab.name);
      const victim = between(random, "victim", n, 0, living.length + 1);
      const daemon = living[victim];
      victims.push(daemon ? `${daemon.kind} of ${daemon.host}` : "up");
      if (daemon) process.kill(daemon.pid, "SIGKILL");
      else up.kill("SIGKILL");
      await ended;
      await lab.up(TEXT);
      await becomesHealthy(lab);
      await lab.down();
      assert.deepEqual(await leftovers(lab.name), [], victims.at(-1));
      assert.deepEqual(findDaemons(lab.name), []);
    }
    t.diagnostic(victims.join(", "));
  });
});
