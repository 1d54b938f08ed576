/**
 * The commands on the real kernel:
 *
 *   alpha: web ══ db         local wire
 *   alpha: web ══ cache      remote wire, over the cable alpha ── beta
 */
import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  watch,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { netloom, start } from "./spawn-netloom.ts";

const skip = process.getuid?.() === 0 ? false : "needs root";

/** Writes a lab file with a name of its own; the lab is removed after the test, whatever happened. */
function labFile(t: TestContext, letter: string): { name: string; file: string } {
  const name = `${letter}${process.pid}`;
  const directory = mkdtempSync(join(tmpdir(), "netloom-cli-"));
  const file = join(directory, "lab.yaml");
  writeFileSync(
    file,
    `name: ${name}
hosts:
  alpha: { workloads: [web, db] }
  beta: { workloads: [cache] }
links:
  - [alpha, beta]
wires:
  - { client: alpha/web, endpoint: alpha/db }
  - { client: alpha/web, endpoint: beta/cache }
`,
  );
  t.after(async () => {
    await netloom(["lab", "down", name]);
    rmSync(directory, { recursive: true });
  });
  return { name, file };
}

/** Everything on the machine that bears the lab's name. */
function traces(name: string): string[] {
  const inDirectory = (path: string): string[] => (existsSync(path) ? readdirSync(path) : []);
  const namespaces = inDirectory("/run/netns").filter((entry) => entry.startsWith(`nl-${name}-`));
  const state = inDirectory("/run/netloom/labs").filter((entry) => entry.startsWith(name));
  const mounts = readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .filter((line) => line.includes(`/${name}`) || line.includes(`nl-${name}-`));
  return [...namespaces, ...state, ...mounts];
}

test("up, up again, status, exec and down do what they say", { skip }, async (t) => {
  const { name, file } = labFile(t, "a");
  const up = await netloom(["lab", "up", file]);
  assert.deepEqual([up.code, up.stderr], [0, ""]);
  assert.match(up.stdout, new RegExp(`^lab ${name} is up: 2 hosts, 3 workloads, 2 wires \\(\\d+ ms\\)\n`));
  const again = await netloom(["lab", "up", file, "-o", "json"]);
  const report: Record<string, unknown> = JSON.parse(again.stdout);
  assert.deepEqual(Object.keys(report).sort(), [
    "changed",
    "durationMs",
    "lab",
    "namespaces",
    "operations",
    "wires",
  ]);
  assert.deepEqual([report["lab"], report["changed"], report["operations"]], [name, false, 0]);

  const labs: { labs: string[] } = JSON.parse((await netloom(["lab", "status", "-o", "json"])).stdout);
  assert.ok(labs.labs.includes(name));
  const status = await netloom(["lab", "status", name, "--ping", "-o", "json"]);
  const { wires }: { wires: { state: string; path: string; ping: { rttMs?: number }[] }[] } = JSON.parse(
    status.stdout,
  );
  assert.deepEqual([status.code, wires.map(({ state }) => state)], [0, ["up", "up"]]);
  assert.ok(wires.every(({ ping }) => ping.every(({ rttMs }) => (rttMs ?? 0) > 0)));
  assert.match((await netloom(["lab", "status", name])).stdout, /alpha\/web\/nl-1 → alpha\/db\/\S+ +veth/);

  const exec = await netloom([
    "lab",
    "exec",
    name,
    "beta/cache",
    "--",
    "sh",
    "-c",
    "cat /proc/net/dev; exit 7",
  ]);
  assert.equal(exec.code, 7);
  assert.match(exec.stdout, /nl-\d+:/);
  assert.doesNotMatch(exec.stdout, /to-alpha:/);

  const down = await netloom(["lab", "down", file, "-o", "json"]);
  const downReport: Record<string, unknown> = JSON.parse(down.stdout);
  assert.deepEqual([down.code, downReport["lab"], downReport["existed"]], [0, name, true]);
  assert.deepEqual(traces(name), []);
  const nothing = await netloom(["lab", "down", name]);
  assert.deepEqual([nothing.code, nothing.stdout], [0, `lab ${name} is down: there was nothing of it\n`]);
});

test("a lab that is not up has no status, and the error says how to get one", { skip }, async () => {
  const { code, stderr } = await netloom(["lab", "status", `z${process.pid}`]);
  assert.equal(code, 1);
  assert.match(stderr, /^error: [^\n]+\nhint: [^\n]*netloom lab/);
});

for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const) {
  test(`${signal} in the middle of lab up leaves nothing, and ends it with ${code}`, { skip }, async (t) => {
    const { name, file } = labFile(t, signal === "SIGINT" ? "i" : "s");
    mkdirSync("/run/netns", { recursive: true });
    const watcher = watch("/run/netns");
    t.after(() => watcher.close());
    const firstNamespace = new Promise<void>((resolve) => {
      watcher.on("change", (_, entry) => {
        if (String(entry).startsWith(`nl-${name}-`)) resolve();
      });
    });
    const up = start(["lab", "up", file]);
    await firstNamespace;
    up.kill(signal);
    const outcome = await up.outcome;
    assert.deepEqual([outcome.code, outcome.stdout], [code, ""]);
    assert.deepEqual(traces(name), []);
  });
}

test("a file that is wrong changes nothing", { skip }, async (t) => {
  const { name, file } = labFile(t, "w");
  writeFileSync(file, `${readFileSync(file, "utf8")}  - { client: alpha/nobody, endpoint: alpha/db }\n`);
  const { code, stderr } = await netloom(["lab", "up", file]);
  assert.equal(code, 1);
  assert.match(stderr, /lab\.yaml:\d+:\d+: wires\[2\]\.client: /);
  assert.deepEqual(traces(name), []);
});
