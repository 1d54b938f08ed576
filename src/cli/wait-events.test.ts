/** `netloom wait`, `netloom events` and the status of `netloom get -o yaml`, with a registry and two agents in this process. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { parse } from "yaml";
import { Agents, json } from "../../fixtures/cli/agents.ts";
import { netloom, type CommandOutcome } from "./spawn-netloom.ts";

const shared = { agents: undefined as Agents | undefined };

function mesh(): Agents {
  assert.ok(shared.agents);
  return shared.agents;
}

function at(host: "alpha" | "beta", ...args: string[]): Promise<CommandOutcome> {
  const own = args.map((arg) => arg.replaceAll("LAB/", `${mesh().lab}/`));
  return netloom([...own, "--agent", mesh().url(host)]);
}

before(async () => {
  shared.agents = await Agents.start();
  await at("beta", "expose", "LAB/beta/db", "db", "--pool", "172.16.0.0/24", "--wait", "30");
  const { code } = await at("alpha", "connect", "LAB/alpha/web", "db", "-i", "to-db", "--wait", "30");
  assert.equal(code, 0);
});
after(() => mesh().close());

test("wait returns when a document, a wire and a service are ready", async () => {
  const things = ["client/web-db", "web-db", "wire/alpha/web/to-db", "service/db"];
  const { code, stdout } = await at("alpha", "wait", ...things, "--for=condition=Ready", "--timeout", "30");
  assert.deepEqual([code, stdout], [0, things.map((thing) => `${thing}: Ready is True\n`).join("")]);
});

test("wait reports what is missing when the time is over, and exits with 1", async () => {
  const { code, stdout } = await at(
    "alpha",
    "wait",
    "web-db",
    "service/nobody",
    "client/none",
    "--for=condition=Healing",
    "--timeout",
    "0.2",
  );
  assert.equal(code, 1);
  assert.equal(
    stdout,
    "! web-db: Healing is False (Up)\n! service/nobody: does not exist\n! client/none: does not exist\n",
  );
});

test("wait --for=delete returns when the document is gone", async () => {
  await at("alpha", "connect", "LAB/alpha/api", "nobody", "--name", "short", "--wait", "0");
  const waiting = at("alpha", "wait", "short", "--for=delete", "--timeout", "30");
  await at("alpha", "delete", "client/short");
  const { code, stdout } = await waiting;
  assert.deepEqual([code, stdout], [0, "short: is gone\n"]);
  const { events } = (await json(at("alpha", "events", "client/short", "-o", "json"))) as {
    readonly events: readonly { readonly reason: string }[];
  };
  assert.equal(events.filter(({ reason }) => reason === "Deleted").length, 1);
});

test("wait refuses a goal that it does not know, as a mistake of the command line", async () => {
  for (const goal of ["ready", "condition=Redy"]) {
    const { code, stderr } = await at("alpha", "wait", "web-db", `--for=${goal}`);
    assert.equal(code, 2);
    assert.match(stderr, /It is condition=Ready, condition=Ready=False, or delete/);
  }
});

test("events lists what the agent did, the newest last; of one document or of all", async () => {
  const all = (await json(at("alpha", "events", "-o", "json"))) as {
    readonly events: readonly { readonly name: string; readonly type: string; readonly reason: string }[];
  };
  const own = all.events.filter(({ name }) => name === "web-db");
  assert.deepEqual(
    own.map(({ type, reason }) => `${type} ${reason}`),
    ["Normal Added", "Normal Waiting", "Normal Requesting", "Normal Up"],
  );
  const { stdout } = await at("alpha", "events", "client/web-db");
  const [head = "", ...lines] = stdout.trimEnd().split("\n");
  assert.match(head, /^LAST SEEN +TYPE +REASON +OBJECT +MESSAGE$/);
  assert.equal(lines.length, 4);
  assert.match(lines[3] ?? "", /^\d+s +Normal +Up +NetworkServiceClient\/web-db$/);
});

test("get -o yaml shows the status of a document, and its output applies again without a change", async () => {
  const { stdout } = await at("alpha", "get", "client", "web-db", "-o", "yaml");
  const document = parse(stdout) as {
    readonly metadata: { readonly generation: number };
    readonly status: {
      readonly observedGeneration: number;
      readonly conditions: readonly { readonly type: string; readonly status: string }[];
    };
  };
  assert.deepEqual([document.metadata.generation, document.status.observedGeneration], [1, 1]);
  assert.deepEqual(
    document.status.conditions.map(({ type, status }) => `${type}=${status}`),
    ["Ready=True", "Programmed=True", "Reachable=Unknown", "Healing=False"],
  );
  const path = mesh().path("again.yaml");
  writeFileSync(path, stdout);
  const applied = await at("alpha", "apply", "-f", path);
  assert.deepEqual([applied.code, applied.stdout], [0, "= NetworkServiceClient web-db\n"]);
});
