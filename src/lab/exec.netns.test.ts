import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { test, type TestContext } from "node:test";
import { needsRoot } from "../../fixtures/linux/netns.ts";
import { exec } from "./exec.ts";
import { labFixture } from "../../fixtures/lab/lab.ts";
import { wireTexts } from "../../fixtures/documents/documents.ts";

const skip = needsRoot;
const module = new URL("./exec.ts", import.meta.url).href;
/** A script that becomes the program, as the command does. */
const runner = `const [lab, place, ...argv] = process.argv.slice(1);
(await import(${JSON.stringify(module)})).exec(lab, place, argv).catch((error) => { console.error(error.code); process.exit(1); });`;

async function oneHost(t: TestContext): Promise<string> {
  const lab = await labFixture(t);
  await lab.up(
    "apiVersion: netloom.dev/v1alpha1\nkind: Lab\nmetadata: { name: NAME }\nspec:\n  hosts:\n    alpha: { workloads: [a, b] }\n" +
      wireTexts(["{ client: alpha/a/in-a, endpoint: alpha/b/in-b }"]),
  );
  return lab.name;
}

function run(lab: string, place: string, ...argv: string[]) {
  return spawnSync(process.execPath, ["--input-type=module", "-e", runner, lab, place, ...argv], {
    encoding: "utf8",
  });
}

test(
  "a program sees the network of its place, and its output and exit code pass through",
  { skip },
  async (t) => {
    const lab = await oneHost(t);
    const show = "cat /proc/net/dev; exit 7";
    const [inA, inHost] = [run(lab, "alpha/a", "sh", "-c", show), run(lab, "alpha", "sh", "-c", show)];
    assert.match(inA.stdout, /in-a:/);
    assert.doesNotMatch(inA.stdout, /in-b:/);
    assert.doesNotMatch(inHost.stdout, /in-a:/);
    assert.deepEqual([inA.status, inHost.status], [7, 7]);
  },
);

test("a signal reaches the program, and the caller sees its end by the signal", { skip }, async (t) => {
  const lab = await oneHost(t);
  const child = spawn(
    process.execPath,
    ["--input-type=module", "-e", runner, lab, "alpha/a", "sh", "-c", "echo ready; exec sleep 60"],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  t.after(() => child.kill("SIGKILL"));
  await once(child.stdout, "data");
  child.kill("SIGTERM");
  assert.deepEqual(await once(child, "exit"), [null, "SIGTERM"]);
});

test("a program has the default signals, not those of Node", { skip }, async (t) => {
  const lab = await oneHost(t);
  const { stdout } = run(lab, "alpha/a", "sh", "-c", "grep SigIgn /proc/self/status");
  const ignored = BigInt(`0x${/SigIgn:\s([0-9a-f]{16})/.exec(stdout)?.[1]}`);
  // The C library reserves signals 32 and 33: their setting is inherited from this machine's shell.
  assert.equal(ignored & ~(0b11n << 31n), 0n, stdout);
});

test("an error names a missing place or program, and the existing ones", { skip }, async (t) => {
  const lab = await oneHost(t);
  await assert.rejects(exec(lab, "alpha/c", ["true"]), /unknown place "alpha\/c"; did you mean "alpha\/a"\?/);
  await assert.rejects(exec("nosuch", "alpha", ["true"]), { code: "NOT_FOUND" });
  const { status, stderr } = run(lab, "alpha/a", "no-such-program");
  assert.deepEqual([status, stderr], [1, "NOT_FOUND\n"]);
});
