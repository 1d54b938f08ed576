/**
 * Every command that talks to an agent, run as a user would, with a registry and two agents in this process
 * (fixtures/cli/agents.ts).
 */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { parseAllDocuments } from "yaml";
import { until } from "../../fixtures/async/until.ts";
import { Agents, isRoot, json } from "../../fixtures/cli/agents.ts";
import { clientDocument } from "../../fixtures/documents/documents.ts";
import { netloom, netloomPath, type Netloom, type CommandOutcome, start } from "./spawn-netloom.ts";

const shared = { agents: undefined as Agents | undefined };

function mesh(): Agents {
  assert.ok(shared.agents);
  return shared.agents;
}

/** Runs `netloom args…` at the agent of a host. Places in the lab are written as `LAB/alpha/web`. */
function at(host: "alpha" | "beta", ...args: string[]): Promise<CommandOutcome> {
  const { lab } = mesh();
  const own = args.map((arg) => arg.replaceAll("LAB/", `${lab}/`));
  return netloom([...own, "--agent", mesh().url(host)]);
}

/** Writes a file with attachments of workloads of the lab. */
function file(name: string, text: string): string {
  const path = mesh().path(name);
  writeFileSync(path, text.replaceAll("LAB/", `${mesh().lab}/`));
  return path;
}

/** Starts `status --watch`; `until` resolves when the pattern appears in its output. */
function watchStatus(host: "alpha" | "beta"): { watching: Netloom; until: (wait: RegExp) => Promise<void> } {
  let seen = "";
  const waiting: { wait: RegExp; resolve: () => void }[] = [];
  const onStdout = (part: string): void => {
    seen += part;
    for (const { wait, resolve } of waiting) if (wait.test(seen)) resolve();
  };
  return {
    watching: start(["status", "--watch", "--agent", mesh().url(host)], { onStdout }),
    until: (wait) =>
      new Promise((resolve) => {
        waiting.push({ wait, resolve });
        onStdout("");
      }),
  };
}

const SHOP = `apiVersion: netloom.dev/v1alpha1
kind: NetworkServiceClient
metadata: { name: api-db, labels: { app: api } }
spec:
  workload: { lab: LAB/alpha/api }
  service: db
`;

before(async () => {
  shared.agents = await Agents.start();
});
after(() => mesh().close());

test("expose offers a service, and connect makes a wire to it: path, MTU and addresses", async () => {
  const offered = await at(
    "beta",
    "expose",
    "LAB/beta/db",
    "db",
    "--pool",
    "172.16.0.0/24",
    "--pool",
    "fd00::/64",
  );
  assert.deepEqual(offered, { code: 0, stdout: "+ NetworkServiceProvider db-db\n", stderr: "" });
  const asked = await at("alpha", "connect", "LAB/alpha/web", "kernel://db/nsm-1?app=web");
  assert.deepEqual([asked.code, asked.stderr], [0, ""]);
  assert.match(
    asked.stdout,
    /^\+ NetworkServiceClient web-db\n {2}alpha\/web\/nsm-1 → db-db\.beta: vxlan vni \d+ alpha→beta, mtu 1446, 172\.16\.0\.1 fd00::1 → 172\.16\.0\.0 fd00::\n$/,
  );
});

test("connect to a service that no endpoint offers prints why it is not up, what to do, and which page explains it", async () => {
  const { code, stdout, stderr } = await at("alpha", "connect", "LAB/alpha/api", "bank", "--wait", "0.3");
  assert.deepEqual([code, stderr], [1, ""]);
  assert.match(
    stdout,
    /^\+ NetworkServiceClient api-bank\n! NetworkServiceClient api-bank is not up yet \(failed\): [^\n]*bank is not found\n {2}hint: [^\n]+\n {2}more: netloom explain NL-302\n$/,
  );
});

test("connect --dry-run prints a document that apply accepts, and needs no agent", async () => {
  const { code, stdout } = await netloom([
    "connect",
    "web",
    "db",
    "--label",
    "app=web",
    "--mtu",
    "1400",
    "--dry-run",
    "--agent",
    "unix:///nowhere.sock",
  ]);
  assert.equal(code, 0);
  assert.equal(
    stdout,
    "apiVersion: netloom.dev/v1alpha1\nkind: NetworkServiceClient\nmetadata:\n  name: web-db\n  labels:\n    app: web\nspec:\n  workload:\n    netns: /run/netns/web\n  service: db\n  mtu: 1400\n",
  );
});

/** Runs a command at alpha until it shows `api-bank` between two tries. */
async function untilFailed(...args: string[]): Promise<CommandOutcome> {
  return await until(async () => {
    const outcome = await at("alpha", ...args);
    return /failed/.test(outcome.stdout) && outcome;
  });
}

test("status lists what is not up first, and then exits with 1", async () => {
  const { code, stdout } = await untilFailed("status");
  assert.equal(code, 1);
  assert.match(
    stdout,
    /^alpha {2}netloom 0\.1\.0 {2}for \d+ s {2}tcp:\/\/\S+ {2}plaintext {2}registry unix:\/\/\S+\n/,
  );
  assert.match(
    stdout,
    /\n1 wire; 2 requested, 1 failed; 0 offered\n\n {2}WIRE +PATH +ENDPOINT +ADDRESSES +MTU +STATE +AGE\n/,
  );
  assert.match(stdout, /\n! alpha\/api \(api-bank\) +- +bank +- +- +failed +\d+s\n {4}[^\n]*\[NL-302\]/);
  assert.match(
    stdout,
    /\n {2}alpha\/web\/nsm-1 +vxlan vni \d+ alpha→beta +db-db\.beta +172\.16\.0\.1 → 172\.16\.0\.0 \+1 +1446 +up +\d+s\n/,
  );
});

test("status -o json has hosts, attachments and wires", async () => {
  const document = await json<Record<string, Record<string, unknown>[]>>(untilFailed("status", "-o", "json"));
  const keys = Object.keys(document).join(" ");
  assert.equal(keys, "hosts workloads services endpoints attachments wires");
  const [wire] = document["wires"] ?? [];
  assert.deepEqual(wire?.["addresses"], {
    client: ["172.16.0.1", "fd00::1"],
    endpoint: ["172.16.0.0", "fd00::"],
  });
  assert.deepEqual([wire?.["wire"], wire?.["state"], wire?.["mtuBytes"]], ["alpha/web/nsm-1", "up", 1446]);
  const failed = document["attachments"]?.find(({ state }) => state === "failed");
  assert.deepEqual([failed?.["name"], failed?.["topic"]], ["api-bank", "NL-302"]);
});

test(
  "status of a lab shows all of its hosts, and each wire once",
  { skip: isRoot ? false : "needs root" },
  async () => {
    const { stdout } = await netloom(["status", "--lab", mesh().lab]);
    assert.match(stdout, /^alpha .*\nbeta .*\n2 hosts; 1 wire;/);
    assert.equal(stdout.match(/vxlan vni/g)?.length, 1);
  },
);

test(
  "a lab with two hosts needs --host for a command to one agent",
  { skip: isRoot ? false : "needs root" },
  async () => {
    const { code, stderr } = await netloom(["ping", "web-db", "--lab", mesh().lab]);
    assert.equal(code, 1);
    assert.match(stderr, /it has 2 hosts\nhint: add --host alpha\|beta\nmore: netloom explain NL-202\n$/);
  },
);

test("ping prints the path and a summary", async () => {
  const { code, stdout } = await at("alpha", "ping", "web-db", "-c", "2", "-i", "1");
  assert.equal(code, 0);
  assert.match(
    stdout,
    /^web-db: vxlan vni \d+ alpha→beta\n {2}172\.16\.0\.0 #1: 0\.110 ms\n {2}fd00:: #1: 0\.110 ms\n/,
  );
  assert.match(
    stdout,
    /\n172\.16\.0\.0 {2}2 sent, 2 received, 0 % lost, min\/avg\/max 0\.110\/0\.110\/0\.110 ms\n/,
  );
  const document = await json<{ addresses: object[] }>(
    at("alpha", "ping", "web-db", "-c", "1", "-o", "json"),
  );
  assert.deepEqual(document.addresses[0], {
    address: "172.16.0.0",
    sent: 1,
    received: 1,
    minMs: 0.11,
    avgMs: 0.11,
    maxMs: 0.11,
  });
});

test("ping reports a lost packet and exits with 1", async () => {
  const { code, stdout } = await at("alpha", "ping", "web-db", "-c", "1", "--address", "10.99.0.1");
  assert.equal(code, 1);
  assert.match(
    stdout,
    /10\.99\.0\.1 #1: no answer \(timeout\)\n10\.99\.0\.1 {2}1 sent, 0 received, 100 % lost\n {2}! no route of the workload leads to 10\.99\.0\.1\n/,
  );
});

test("ping without a matching wire lists the existing wires", async () => {
  const { code, stderr } = await at("alpha", "ping", "nothing");
  assert.equal(code, 1);
  assert.match(
    stderr,
    /^error: ping wire nothing: alpha has no such wire\nhint: its wires are [^\n]*alpha\/web\/nsm-1/,
  );
});

test("why shows what would happen, and what has happened", async () => {
  const { code, stdout } = await at("alpha", "why", "web-db", "db");
  assert.equal(code, 0);
  assert.match(
    stdout,
    /^db \(payload ETHERNET\) for web-db, labels: app=web, nodeName=alpha\n\nwhat would happen now:\n {2}✓ /,
  );
  assert.match(stdout, /it would get:\n {2}1\. db-db\.beta +on beta/);
  assert.match(
    stdout,
    /the last request for wire \S+, \d+ s ago:\n[^]*✓ db-db\.beta was taken\n\nthe path of its wire: vxlan vni \d+ alpha→beta\n$/,
  );
});

test("why of a service that no endpoint offers reports that, and exits with 1", async () => {
  const { code, stdout } = await at("alpha", "why", "-", "bank", "--label", "a=b");
  assert.equal(code, 1);
  assert.match(
    stdout,
    /^bank, labels: a=b, nodeName=alpha\n[^]*no endpoint: network service bank is not found\n/,
  );
});

test("graph draws both hosts, from either agent", async () => {
  for (const host of ["alpha", "beta"] as const) {
    const { stdout } = await at(host, "graph");
    assert.match(
      stdout,
      /^mesh\n\nhosts\n {2}alpha\n {2}└─ web\n {2}beta\n {2}└─ db-db\.beta \(db\)\n\nwires\n/,
    );
  }
  const document = await json<{ wires: { source: string; target: string }[] }>(
    at("alpha", "graph", "-o", "json"),
  );
  assert.deepEqual(
    document.wires.map(({ source, target }) => [source, target]),
    [["alpha/web", "db-db.beta"]],
  );
});

test("diff shows the lines that apply would change, and apply changes them", async () => {
  const path = file("shop.yaml", SHOP);
  const added = await at("alpha", "diff", "-f", path);
  assert.equal(added.code, 1);
  assert.match(
    added.stdout,
    /^\+ NetworkServiceClient api-db\n {4}\+ apiVersion: netloom\.dev\/v1alpha1\n {4}\+ kind: NetworkServiceClient\n/,
  );
  assert.deepEqual(
    (await at("alpha", "apply", "-f", path, "--wait", "10")).stdout,
    "+ NetworkServiceClient api-db\n",
  );
  const same = await at("alpha", "diff", "-f", path);
  assert.deepEqual(
    [same.code, same.stdout],
    [0, "= NetworkServiceClient api-db\napply would change nothing\n"],
  );
  writeFileSync(path, SHOP.replaceAll("LAB/", `${mesh().lab}/`).replace("app: api", "app: shop"));
  const changed = await at("alpha", "diff", "-f", path);
  assert.equal(changed.code, 1);
  assert.match(
    changed.stdout,
    /^~ NetworkServiceClient api-db: metadata\.labels\.app\n[^]*\n {4}- {5}app: api\n {4}\+ {5}app: shop\n/,
  );
  const applied = await json<{ applied: object[] }>(at("alpha", "apply", "-f", path, "-o", "json"));
  assert.deepEqual(applied.applied, [
    { kind: "NetworkServiceClient", name: "api-db", change: "changed", differences: ["metadata.labels.app"] },
  ]);
});

test("diff and apply refuse a wrong file as a whole, and list every mistake with its place", async () => {
  const path = file(
    "wrong.yaml",
    `${SHOP}  colour: red\n---\napiVersion: netloom.dev/v1alpha1\nkind: NetworkServiceClient\nmetadata: { name: web }\nspec:\n  service: db\n`,
  );
  for (const command of ["diff", "apply"]) {
    const { code, stdout, stderr } = await at("alpha", command, "-f", path);
    assert.deepEqual([code, stdout], [1, ""], command);
    assert.match(stderr, /^error: \S+wrong\.yaml:7:3: spec\.colour: unknown key/, command);
    assert.match(stderr, /\nerror: \S+wrong\.yaml:13:3: spec\.workload: expected /, command);
    assert.match(stderr, /more: netloom explain NL-102\n$/, command);
  }
});

test("a missing file has its own error; - is the standard input", async () => {
  const large = spawn(netloomPath, ["apply", "-f", "-", "--agent", mesh().url("alpha")], { stdio: "pipe" });
  large.stdin.end("# many words\n".repeat(400_000));
  assert.match(
    await text(large.stderr),
    /^error: read standard input: it is larger than 4 MB\nhint: cut it into several files\n/,
  );
  const missing = await at("alpha", "apply", "-f", "/nowhere.yaml");
  assert.match(
    missing.stderr,
    /^error: read \/nowhere\.yaml: there is no such file\nhint: [^\n]+\nmore: netloom explain NL-101\n$/,
  );
  const child = spawn(netloomPath, ["diff", "-f", "-", "--agent", mesh().url("alpha")], { stdio: "pipe" });
  child.stdin.end("kind: Nothing\n");
  assert.match(await text(child.stderr), /^error: standard input:1:\d+: kind: /);
});

test("get lists attachments with their states, and prints documents that apply accepts unchanged", async () => {
  const { stdout } = await at("alpha", "get");
  assert.match(stdout, /^KIND +NAME +STATE +WORKLOAD +SERVICES\n/);
  assert.match(stdout, /\nNetworkServiceClient +web-db +up +alpha\/web +db\n/);
  const yaml = await at("alpha", "get", "clients", "-o", "yaml");
  const same = await at("alpha", "diff", "-f", file("all.yaml", yaml.stdout));
  assert.equal(same.code, 0, same.stdout + same.stderr);
  assert.equal(
    (await at("alpha", "get", "NetworkServiceClient/web-db", "-o", "name")).stdout,
    "NetworkServiceClient/web-db\n",
  );
  const document = await json<{ attachments: { document: { spec: { service: string } } }[] }>(
    at("alpha", "get", "client", "web-db", "-o", "json"),
  );
  assert.equal(document.attachments[0]?.document.spec.service, "kernel://db/nsm-1?app=web");
});

test("get services and endpoints show what the mesh offers", async () => {
  assert.match((await at("alpha", "get", "services")).stdout, /\ndb +ETHERNET +db-db\.beta\n/);
  assert.match((await at("alpha", "get", "endpoints")).stdout, /\ndb-db\.beta +beta +tcp:\S+ +db\n/);
  const { stderr } = await at("alpha", "get", "services", "dd");
  assert.match(stderr, /^error: [^\n]*no such service; did you mean "db"\?\n[^]*NL-302\n$/);
});

test("describe shows everything about an attachment and its wire, found by any of their names", async () => {
  const { stdout } = await at("alpha", "describe", "web-db");
  assert.match(stdout, /^NetworkServiceClient web-db on alpha: up for \d+ (s|min)\n/);
  assert.match(
    stdout,
    /\nwire alpha\/web\/nsm-1: up for [^]*\n {2}stations +alpha\/web → manager-alpha → forwarder-alpha → manager-beta → forwarder-beta → db-db\.beta\n/,
  );
  for (const name of ["web/nsm-1", "alpha/web/nsm-1"]) {
    assert.match((await at("alpha", "describe", name)).stdout, /^wire alpha\/web\/nsm-1/);
  }
  const missing = await at("alpha", "describe", "web-dd");
  assert.match(missing.stderr, /"web-dd": it is not on this host; did you mean "web-db"\?\n[^]*NL-203\n$/);
});

test("status --watch shows every change, and ends with Ctrl-C", async () => {
  const { watching, until } = watchStatus("beta");
  await until(/1 offered/);
  await at("beta", "expose", "LAB/beta/db", "mail", "--name", "mail", "--wait", "0");
  await until(/2 offered/);
  await at("beta", "delete", "mail");
  watching.kill("SIGINT");
  const { code, stderr } = await watching.outcome;
  assert.deepEqual([code, stderr], [130, ""]);
});

test("status --watch ends silently when its reader has left", async () => {
  const command = `${netloomPath} status --watch --agent ${mesh().url("beta")}`;
  const shell = `${command} | { head -1 >/dev/null; exec >&-; echo left >&2; }; echo "code \${PIPESTATUS[0]}" >&2`;
  const child = spawn("bash", ["-c", shell], { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  for await (const part of child.stderr) {
    said += String(part);
    if (said !== "left\n") continue;
    await at("beta", "expose", "LAB/beta/db", "mail", "--name", "mail", "--wait", "0");
    await at("beta", "delete", "mail");
  }
  assert.equal(said, "left\ncode 0\n");
});

test("on a terminal --watch redraws the screen in place", async () => {
  const has = spawnSync("script", ["--version"]).status === 0;
  assert.ok(has, "script(1) of util-linux is installed");
  const command = `${netloomPath} status --watch --agent ${mesh().url("alpha")}`;
  const child = spawn("script", ["-qec", command, "/dev/null"], {
    stdio: ["ignore", "pipe", "ignore"],
    env: { ...process.env, TERM: "xterm" },
  });
  let drawn = "";
  for await (const part of child.stdout) {
    drawn += String(part);
    if (drawn.includes("0 offered")) child.kill("SIGTERM");
  }
  assert.ok(drawn.includes("\u001B[H\u001B[J\u001B[1malpha"), JSON.stringify(drawn.slice(0, 200)));
});

interface Annotated {
  readonly metadata: { readonly name: string; readonly annotations?: unknown };
}

test("text from outside cannot control the terminal, and stays unchanged in JSON and YAML", async () => {
  const odd = "\u001B[31mred\u202E\u009B2J\r\u2028\u{E0041}";
  const annotations = { odd };
  const escaped = encodeURIComponent(odd);
  const service = `kernel://nobody?odd=${escaped}&key${escaped}=x`;
  const document = clientDocument("odd", { workload: { lab: `${mesh().lab}/alpha/api` }, service });
  const written = JSON.stringify({ ...document, metadata: { ...document.metadata, annotations } });
  const path = file("odd.yaml", written);
  const commands = [
    ["apply", "-f", path, "--wait", "0"],
    ["diff", "-f", path],
    ["describe", "NetworkServiceClient/odd"],
    ["status"],
    ["get", "-o", "yaml"],
    ["get", "-o", "json"],
    ["why", "odd", "db"],
    ["connect", "LAB/alpha/api", "db", "-l", `odd=${odd}`, "--dry-run"],
    ["describe", odd],
    [`get${odd}`],
    ["delete", "odd"],
  ];
  for (const command of commands) {
    const { stdout, stderr } = await at("alpha", ...command);
    assert.doesNotMatch(stdout + stderr, /[^\P{Cc}\n]|[\p{Cf}\p{Zl}\p{Zp}]/u, command.join(" "));
    const [way, format] = command.slice(-2);
    if (way === "-o" && format === "yaml") {
      const found = parseAllDocuments(stdout).map((each) => each.toJS() as Annotated);
      assert.deepEqual(found.find((each) => each.metadata.name === "odd")?.metadata.annotations, annotations);
    }
    if (way === "-o" && format === "json") {
      const { attachments } = JSON.parse(stdout) as { attachments: { name: string; document: Annotated }[] };
      const found = attachments.find(({ name }) => name === "odd");
      assert.deepEqual(found?.document.metadata.annotations, annotations);
    }
  }
});

test("a file that is not UTF-8 is refused before an agent is called", async () => {
  const path = mesh().path("latin1.yaml");
  writeFileSync(
    path,
    Buffer.from(
      'kind: NetworkServiceClient\nmetadata: { name: web, labels: { site: "München" } }\n',
      "latin1",
    ),
  );
  for (const command of [
    ["apply", "-f", path],
    ["diff", "-f", path],
    ["delete", "-f", path],
    ["lab", "validate", path],
  ]) {
    const { code, stderr } = await netloom(command);
    assert.equal(code, 1);
    assert.match(
      stderr,
      /latin1\.yaml:2:42: the byte 0xfc .* is not UTF-8[^\n]+\nhint: [^\n]+\nmore: netloom explain NL-102\n$/,
    );
  }
});

test("delete by file and by name removes the wires, and reports names that did not exist", async () => {
  const byFile = await at("alpha", "delete", "-f", mesh().path("shop.yaml"), "api-bank");
  assert.deepEqual(byFile.stdout.split("\n").sort(), [
    "",
    "- NetworkServiceClient api-bank",
    "- NetworkServiceClient api-db",
  ]);
  const again = await json(at("alpha", "delete", "-f", mesh().path("shop.yaml"), "-o", "json"));
  assert.deepEqual(again, { deleted: [], absent: [{ kind: "NetworkServiceClient", name: "api-db" }] });
  assert.equal((await at("alpha", "delete", "web-db")).stdout, "- NetworkServiceClient web-db\n");
  assert.match(
    (await at("alpha", "status")).stdout,
    /\n0 wires; 0 requested; 0 offered\nno documents on this host/,
  );
  assert.equal((await at("alpha", "status")).code, 0);
});

test("status --watch reports when the agent goes away, and keeps its last status", async () => {
  const { watching, until } = watchStatus("beta");
  await until(/1 offered/);
  await mesh().stop("beta");
  await until(/! ask the agent at unix:\S+: nobody answers: [^\n]+\nbeta [^]*1 offered/);
  watching.kill("SIGTERM");
  assert.equal((await watching.outcome).code, 143);
});
