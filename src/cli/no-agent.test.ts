/** The errors of commands that call an agent while no agent runs. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { netloom } from "./spawn-netloom.ts";

const unreachable: readonly (readonly [string, string[]])[] = [
  ["status", []],
  ["get", []],
  ["describe", ["web"]],
  ["ping", ["web"]],
  ["why", ["web", "db"]],
  ["graph", []],
  ["delete", ["web"]],
  ["connect", ["web", "db"]],
  ["expose", ["db", "db"]],
];
for (const [command, args] of unreachable) {
  test(`${command} without an agent reports that, and how to start or name one`, async () => {
    const { code, stdout, stderr } = await netloom([command, ...args, "--agent", "unix:///nowhere.sock"]);
    assert.deepEqual([code, stdout], [1, ""]);
    assert.match(
      stderr,
      /^error: ask the agent at unix:\/\/\/nowhere\.sock: nobody answers: ENOENT: there is no such socket\nhint: start it with sudo netloom agent[^\n]+\nmore: netloom explain NL-201\n$/,
    );
  });
}

test("the error for an agent that closes every connection, as one without free descriptors does, does not suggest to start it", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "netloom-closes-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const server = createServer((socket) => socket.destroy());
  await once(server.listen(join(folder, "s")), "listening");
  t.after(() => server.close());
  const { code, stderr } = await netloom(["get", "--agent", `unix://${folder}/s`]);
  assert.equal(code, 1);
  assert.match(stderr, /nobody answers: \S[^\n]+\nhint: /);
});

test("a lab without agents is reported as such", async () => {
  const { code, stderr } = await netloom(["status", "--lab", "nosuchlab"]);
  assert.equal(code, 1);
  assert.match(stderr, /^error: find the agents of lab nosuchlab: there are none[^]*NL-201\n$/);
  const wrong = await netloom(["status", "--lab", "../etc"]);
  assert.match(wrong.stderr, /^error: "\.\.\/etc" is not a lab name/);
});
