/**
 * Upgrades a running mesh from the last release, and goes back. `make upgrade` checks out the release, and
 * NETLOOM_RELEASE is its folder. The release's processes end one after the other, and this version's replace them, as
 * an operator upgrades host by host.
 *
 * ```
 *  host alpha: registry, agent         host beta: agent
 *  [web] === vxlan ================ [db]        ten wires between hosts
 *                       [app] ===== [db]        ten wires within a host
 * ```
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { test, type TestContext } from "node:test";
import { findDaemons, type RunningDaemon } from "../src/lab/daemons.ts";
import { leftovers } from "../src/lab/state.ts";
import { until } from "../fixtures/async/until.ts";

const LAB = "upg";
/** Wires of each of the two clients. */
const EACH = 10;
const present = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "");
const release = process.env["NETLOOM_RELEASE"] ?? "";

const MESH = `name: ${LAB}
hosts:
  alpha: { workloads: [web] }
  beta: { workloads: [app, db] }
links:
  - [alpha, beta]
registry: alpha
agents: true
attachments:
  - { kind: Expose, name: db, workload: beta/db, services: [db], pools: [10.0.0.0/24, "fd00::/120"] }
${Array.from({ length: EACH }, (_, n) => connect("alpha/web", n) + connect("beta/app", n)).join("")}`;

function connect(workload: string, n: number): string {
  const name = `${workload.split("/")[1]}-db${n}`;
  return `  - { kind: Connect, name: ${name}, workload: ${workload}, service: db, interface: to-db${n} }\n`;
}

interface Wire {
  readonly wire: string;
  readonly id: string;
  readonly state: string;
  readonly addresses: { readonly client: readonly string[]; readonly endpoint: readonly string[] };
}

function netloom(tree: string, ...words: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(join(tree, "bin/netloom"), words, { encoding: "utf8" });
  assert.equal(status, 0, `${words.join(" ")}\n${stdout}${stderr}`);
  return stdout;
}

function wires(): Wire[] {
  const { wires: found } = JSON.parse(netloom(present, "status", "--lab", LAB, "-o", "json")) as {
    wires: Wire[];
  };
  return found.toSorted((a, b) => (a.wire < b.wire ? -1 : 1));
}

/** Name, id and addresses of each wire, which must not change. */
function identities(): unknown {
  return wires().map(({ wire, id, addresses }) => ({ wire, id, addresses }));
}

function states(): string[] {
  return wires().map(({ state }) => state);
}

/** The tree that a process runs from. */
function treeOf({ pid }: RunningDaemon): string {
  const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  const main = words.find((word) => /\/src\/main\.ts$|\/dist\/main\.js$|\/bin\/netloom$/.test(word)) ?? "";
  return main.replace(/\/(src|dist|bin)\/[^/]+$/, "") || readlinkSync(`/proc/${pid}/exe`);
}

function optionOf({ pid }: RunningDaemon, option: string): string {
  const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  return words[words.indexOf(option) + 1] ?? "";
}

async function end({ pid }: RunningDaemon): Promise<void> {
  process.kill(pid, "SIGTERM");
  while (findDaemons(LAB).some((each) => each.pid === pid)) await new Promise(setImmediate);
}

/** Restarts a daemon with the same command line from another tree. */
function start(t: TestContext, tree: string, { host, args }: RunningDaemon): void {
  const words = [`--net=/run/netns/nl-${LAB}-${host}`, join(tree, "bin/netloom"), ...args];
  const process = spawn("nsenter", words, { stdio: "ignore" });
  t.after(() => process.kill("SIGKILL"));
}

/** Pings through a wire during the upgrade, and finds the lost packets at the end. */
class Stream {
  readonly #name: string;
  readonly #ping: ChildProcess;
  /** The steps of the operator, each with the last packet that was answered before it. */
  readonly #steps: (readonly [name: string, packet: number])[] = [];
  #text = "";

  constructor(t: TestContext, name: string, host: string, address: string) {
    this.#name = name;
    const words = ["netns", "exec", `nl-${LAB}-${host}`, "ping", "-n", "-i", "0.02", address];
    this.#ping = spawn("ip", words, { stdio: ["ignore", "pipe", "inherit"] });
    this.#ping.stdout?.on("data", (bytes: Buffer) => (this.#text += bytes.toString()));
    t.after(() => this.#ping.kill("SIGKILL"));
  }

  /** A step begins: a packet that is lost from now on is reported with it. */
  begin(step: string): void {
    this.#steps.push([step, Math.max(0, ...this.#answered())]);
  }

  /**
   * The packets without an answer before the last answered one, each with its wire and step. Later answers are still on
   * the way.
   */
  async lost(): Promise<string[]> {
    const ended = once(this.#ping, "close");
    this.#ping.kill("SIGINT");
    await ended;
    const answered = new Set(this.#answered());
    const sent = Math.max(0, ...answered);
    assert.ok(sent > 50, `${sent} packets were sent through ${this.#name}`);
    const missing = Array.from({ length: sent }, (_, i) => i + 1).filter((packet) => !answered.has(packet));
    return missing.map((packet) => {
      const [step = "no step", last = 0] = this.#steps.findLast(([, before]) => before < packet) ?? [];
      return `${this.#name}: packet ${packet} of ${sent}, ${packet - last} packets after: ${step}`;
    });
  }

  #answered(): number[] {
    return [...this.#text.matchAll(/icmp_seq=(\d+)/g)].map(([, packet]) => Number(packet));
  }
}

test("a running mesh of the last release is upgraded host by host, and downgraded again, without losing a packet", async (t) => {
  assert.notEqual(release, "", "NETLOOM_RELEASE is not set: run make upgrade");
  const folder = mkdtempSync(join(tmpdir(), "netloom-upgrade-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "upgrade.yaml");
  writeFileSync(file, MESH);
  netloom(release, "lab", "up", file);
  t.after(() => spawnSync(join(present, "bin/netloom"), ["lab", "down", LAB]));
  const before = findDaemons(LAB);
  assert.deepEqual(new Set(before.map(treeOf)), new Set([release]));
  const found = identities();
  const streams = wires().map(({ wire, addresses }): Stream => {
    const [host = "", workload = ""] = wire.split("/");
    return new Stream(t, wire, `${host}-${workload}`, (addresses.endpoint[0] ?? "").split("/")[0] ?? "");
  });
  assert.equal(streams.length, 2 * EACH);
  const step = (name: string): void => streams.forEach((stream) => stream.begin(name));
  for (const daemon of before.toSorted((a, b) => (a.kind > b.kind ? -1 : 1))) {
    step(`the ${daemon.kind} of ${daemon.host} ends`);
    await end(daemon);
    step(`the ${daemon.kind} of ${daemon.host} starts in this version`);
    start(t, present, daemon);
    await until(() => {
      assert.deepEqual(new Set(states()), new Set(["up"]));
      assert.deepEqual(identities(), found, `after the upgrade of the ${daemon.kind} of ${daemon.host}`);
      return true;
    });
  }
  assert.deepEqual(new Set(findDaemons(LAB).map(treeOf)), new Set([present]));
  step("lab status --ping");
  netloom(present, "lab", "status", LAB, "--ping");
  const service = join(folder, "service.yaml");
  writeFileSync(
    service,
    "apiVersion: networkservicemesh.io/v1\nkind: NetworkService\nmetadata: { name: other }\n",
  );
  for (const daemon of findDaemons(LAB).filter(({ kind }) => kind === "agent")) {
    // From now on its document is written in this version's format.
    step(`apply on ${daemon.host}`);
    netloom(present, "apply", "--lab", LAB, "--host", daemon.host, "-f", service);
    const [bpffs, stateDir] = [optionOf(daemon, "--bpffs"), optionOf(daemon, "--state-dir")];
    step(`the agent of ${daemon.host} ends`);
    await end(daemon);
    step(`downgrade of ${daemon.host}`);
    const words = [
      `--net=/run/netns/nl-${LAB}-${daemon.host}`,
      join(present, "bin/netloom"),
      "downgrade",
      "--bpffs",
      bpffs,
      "--state-dir",
      stateDir,
    ];
    const { status, stdout, stderr } = spawnSync("nsenter", words, { encoding: "utf8" });
    assert.equal(status, 0, stdout + stderr);
    assert.match(stdout, /^converted 10 tunnels to VXLAN devices$/m);
    assert.match(stdout, /^converted \d+ documents for release 0\.1\.0$/m);
    step(`the agent of ${daemon.host} starts in the last release`);
    start(t, release, daemon);
    await until(() => {
      assert.deepEqual(new Set(states()), new Set(["up"]));
      assert.deepEqual(identities(), found, `after the way back of ${daemon.host}`);
      return true;
    });
  }
  assert.deepEqual(
    new Set(
      findDaemons(LAB)
        .filter(({ kind }) => kind === "agent")
        .map(treeOf),
    ),
    new Set([release]),
  );
  const lost = await Promise.all(streams.map((stream) => stream.lost()));
  assert.deepEqual(lost.flat(), [], "packets that were lost");
  netloom(present, "lab", "down", LAB);
  assert.deepEqual(await leftovers(LAB), []);
});
