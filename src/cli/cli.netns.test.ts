/**
 * The commands on the real kernel:
 *
 *   alpha: web ══ db         local wire
 *   alpha: web ══ cache      remote wire, over the cable alpha ── beta
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
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
import { ping } from "../linux/icmp/icmp.ts";
import { netnsOf } from "../lab/topology/topology.ts";
import { withMachine } from "./lab/open.ts";
import type { DoctorReport } from "./doctor/report.ts";
import { netloom, netloomPath, start } from "./spawn-netloom.ts";
import { wireTexts } from "../../fixtures/documents/documents.ts";

const skip = process.getuid?.() === 0 ? false : "needs root";

/** Writes a lab file with a unique name; the lab is removed after the test in any case. */
function labFile(t: TestContext, letter: string): { name: string; file: string } {
  const name = `${letter}${process.pid}`;
  const directory = mkdtempSync(join(tmpdir(), "netloom-cli-"));
  const file = join(directory, "lab.yaml");
  writeFileSync(
    file,
    `apiVersion: netloom.dev/v1alpha1
kind: Lab
metadata: { name: ${name} }
spec:
  hosts:
    alpha: { workloads: [web, db] }
    beta: { workloads: [cache] }
  links:
    - [alpha, beta]
${wireTexts(["{ client: alpha/web, endpoint: alpha/db }", "{ client: alpha/web, endpoint: beta/cache }"])}`,
  );
  t.after(async () => {
    await netloom(["lab", "down", name]);
    rmSync(directory, { recursive: true });
  });
  return { name, file };
}

/** Everything on the machine that has the lab's name. */
function traces(name: string): string[] {
  const inDirectory = (path: string): string[] => (existsSync(path) ? readdirSync(path) : []);
  const namespaces = inDirectory("/run/netns").filter((entry) => entry.startsWith(`nl-${name}-`));
  const state = inDirectory("/run/netloom/labs").filter((entry) => entry.startsWith(name));
  const mounts = readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .filter((line) => line.includes(`/${name}`) || line.includes(`nl-${name}-`));
  return [...namespaces, ...state, ...mounts];
}

test("up, up again, status, exec and down do what they announce", { skip }, async (t) => {
  const { name, file } = labFile(t, "a");
  const up = await netloom(["lab", "up", file]);
  assert.deepEqual([up.code, up.stderr], [0, ""]);
  assert.match(up.stdout, new RegExp(`^lab ${name} is up: 2 hosts, 3 workloads, 2 wires \\(\\d+ ms\\)\n`));
  const again = await netloom(["lab", "up", file, "-o", "json"]);
  const report: Record<string, unknown> = JSON.parse(again.stdout);
  assert.deepEqual(Object.keys(report).sort(), [
    "agentsMs",
    "attachments",
    "attachmentsMs",
    "changed",
    "durationMs",
    "lab",
    "namespaces",
    "operations",
    "started",
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
  assert.match((await netloom(["lab", "status", name])).stdout, /alpha\/web\/db → alpha\/db\/web +veth/);

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
  assert.match(exec.stdout, /web:/);
  assert.doesNotMatch(exec.stdout, /to-alpha:/);
  const large = await netloom(["lab", "exec", name, "alpha", "--", "head", "-c", "3000000", "/dev/zero"]);
  assert.deepEqual([large.code, large.stdout.length], [0, 3_000_000], "the pipe is a blocking one again");

  const down = await netloom(["lab", "down", file, "-o", "json"]);
  const downReport: Record<string, unknown> = JSON.parse(down.stdout);
  assert.deepEqual([down.code, downReport["lab"], downReport["existed"]], [0, name, true]);
  assert.deepEqual(traces(name), []);
  const nothing = await netloom(["lab", "down", name]);
  assert.deepEqual([nothing.code, nothing.stdout], [0, `lab ${name} is down: it did not exist\n`]);
});

test("the script of a lab makes a lab whose workloads reach each other", { skip }, async (t) => {
  const { name, file } = labFile(t, "p");
  const { stdout } = await netloom(["script", file]);
  const shell = spawnSync("sh", { input: stdout, encoding: "utf8" });
  assert.deepEqual([shell.status, shell.stderr], [0, ""]);
  const plan = await netloom(["script", file, "alpha/web/cache", "-o", "json"]);
  const { parts }: { parts: { objects: { kind: string; peer?: string }[] }[] } = JSON.parse(plan.stdout);
  assert.equal(parts.length, 2);
  const [peer = ""] = parts.flatMap(({ objects }) => objects.flatMap(({ peer }) => peer ?? []));
  const answer = await withMachine((machine) =>
    ping(machine, { netns: netnsOf(name, "alpha/web"), address: peer.split("/")[0] ?? "" }),
  );
  assert.ok((answer.rttMs ?? 0) > 0, answer.errno);
});

test("status of a lab that is not up fails, with a hint how to bring it up", { skip }, async () => {
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

test("a wrong file changes nothing", { skip }, async (t) => {
  const { name, file } = labFile(t, "w");
  writeFileSync(file, readFileSync(file, "utf8").replace("client: alpha/web", "client: alpha/nobody"));
  const { code, stderr } = await netloom(["lab", "up", file]);
  assert.equal(code, 1);
  assert.match(stderr, /lab\.yaml:14:17: spec\.client: /);
  assert.deepEqual(traces(name), []);
});

const demoScreen = `netloom demo: two hosts, a registry, two agents, a service requested by its name

  host alpha                                                        host beta
  ┌────────────────────┐                                            ┌──────────────────────────┐
  │  web ══════════════╪══════════════════ vxlan ═══════════════════╪══════════════════════╗   │
  │  agent             ├─ 192.168.50.1 ─── cable ──── 192.168.50.2 ─┤  app ════ veth ═════ db  │
  │  registry          │                                            │  agent                   │
  └────────────────────┘                                            └──────────────────────────┘

  ✓ read and checked the lab TIME ms
  ✓ built 5 namespaces and 1 cable TIME ms
  ✓ started a registry and 2 agents TIME ms
  ✓ beta/db offers "db", and beta/app and alpha/web got wires to it TIME ms
  ✓ sent 20 packets beta/app/to-db → beta/db TIME ms
      path     veth on beta
      counted  beta/db received N packets, and N came back
      ipv4     ADDRESS 10/10 answered   rtt TIME ms   mtu 1500, one byte more is refused
      ipv6     ADDRESS 10/10 answered   rtt TIME ms   mtu 1500, one byte more is refused
  ✓ sent 20 packets alpha/web/to-db → beta/db TIME ms
      path     vxlan vni VNI alpha→beta
      counted  beta/db received N packets, and N came back
      ipv4     ADDRESS 10/10 answered   rtt TIME ms   mtu 1446, one byte more is refused
      ipv6     ADDRESS 10/10 answered   rtt TIME ms   mtu 1446, one byte more is refused
  ✓ ended all processes, removed 5 namespaces and all in them TIME ms
  ✓ nothing was left behind: no process, namespace, program, mount or file

Next: netloom doctor, netloom lab up examples/first.yaml, netloom --help
`;

test(
  "the demo prints a screen that differs only in its figures, and leaves nothing behind",
  { skip },
  async () => {
    const { code, stdout, stderr } = await netloom(["demo"]);
    assert.deepEqual([code, stderr], [0, ""]);
    const layout = stdout
      .replaceAll(/ +\d+\.\d+ ms/g, " TIME ms")
      .replaceAll(/vni \d+/g, "vni VNI")
      .replaceAll(/(?:10\.0\.0\.|fd00::)[0-9a-f]+ +/g, "ADDRESS ")
      .replaceAll(/received \d+ packets, and \d+ came/g, "received N packets, and N came");
    assert.equal(layout, demoScreen);
    const lines = stdout.trimEnd().split("\n");
    assert.ok(lines.length <= 30 && lines.every((line) => line.length <= 100));
    assert.deepEqual(traces("demo"), []);
  },
);

test("the demo as JSON has its steps in order, each with its time", { skip }, async () => {
  const { code, stdout } = await netloom(["demo", "-o", "json"]);
  const { steps }: { steps: { step: string; durationMs: number }[] } = JSON.parse(stdout);
  assert.deepEqual(
    [code, steps.map(({ step }) => step)],
    [0, ["planned", "built", "probed", "probed", "removed"]],
  );
  assert.ok(steps.every(({ durationMs }) => durationMs > 0));
});

test("a demo whose reader left, or that is interrupted, leaves nothing behind", { skip }, async () => {
  const shell = spawnSync("sh", ["-c", `"${netloomPath}" demo | head -1`], { encoding: "utf8" });
  assert.deepEqual([shell.stdout.split("\n").length, shell.stderr], [2, ""]);
  const demo = start(["demo"], { onStdout: (text) => void (text.includes("built") && demo.kill("SIGINT")) });
  const { code, stderr } = await demo.outcome;
  assert.deepEqual([code, stderr], [130, ""]);
  assert.deepEqual(traces("demo"), []);
});

test(
  "doctor's JSON has the documented shape, and every problem has a reason and a remedy",
  { skip },
  async () => {
    const { stdout } = await netloom(["doctor", "-o", "json"]);
    const report: DoctorReport = JSON.parse(stdout);
    assert.deepEqual(Object.keys(report), ["status", "checks"]);
    assert.deepEqual(
      report.checks.map(({ name }) => name),
      ["runtime", "privileges", "kernel", "vxlan-port", "netfilter", "sysctls", "services", "leftovers"],
    );
    for (const finding of report.checks.flatMap(({ findings }) => findings)) {
      const keys = finding.status === "ok" ? ["status", "what"] : ["status", "what", "why", "remedy"];
      const known = Object.keys(finding).filter((key) => key !== "isUnused");
      assert.deepEqual(known, keys);
    }
  },
);
