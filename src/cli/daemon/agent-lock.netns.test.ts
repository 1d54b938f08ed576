/** Only one agent runs in a network namespace, on a state folder, and on a folder of pins. */
import assert from "node:assert/strict";
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite, test, type TestContext } from "node:test";
import { netloomPath } from "../spawn-netloom.ts";
import { LAB_WORDS } from "../../identity/identities.ts";

const skip = process.getuid?.() === 0 ? false : "needs root";

interface Started {
  readonly process: ChildProcess;
  readonly ready: Promise<boolean>;
  readonly said: () => string;
}

/** A network namespace that exists as long as the test. */
async function namespace(t: TestContext): Promise<number> {
  const holder = spawn("unshare", ["--net", "sh", "-c", "echo there; exec sleep infinity"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => holder.kill("SIGKILL"));
  await once(holder.stdout, "data");
  assert.ok(holder.pid);
  return holder.pid;
}

function startAgent(
  t: TestContext,
  at: string,
  { name, netns, state, pins = `bpf-${name}` }: Agent,
): Started {
  const args = ["agent", ...LAB_WORDS, "--name", name, "--listen", `unix://${at}/${name}.sock`];
  const child = spawn(
    "nsenter",
    ["-t", String(netns), "-n", netloomPath, ...args, "--state-dir", state, "--bpffs", `${at}/${pins}`],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  t.after(() => child.kill("SIGKILL"));
  let said = "";
  child.stderr.on("data", (part) => (said += String(part)));
  const ready = new Promise<boolean>((resolve) => {
    child.stdout.once("data", () => resolve(true));
    child.once("close", () => resolve(false));
  });
  return { process: child, ready, said: () => said.replaceAll(/^time=.*\n/gm, "") };
}

interface Agent {
  readonly name: string;
  readonly netns: number;
  readonly state: string;
  /** Default: a folder of its own. */
  readonly pins?: string;
}

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "netloom-lock-"));
  t.after(() => {
    spawnSync("umount", ["--lazy", "--quiet", `${path}/bpf-alpha`, `${path}/bpf-beta`]);
    rmSync(path, { recursive: true, force: true });
  });
  return path;
}

suite("a second agent", { skip }, () => {
  test("in the same network namespace is refused with the name of the first, before it makes anything; a killed agent blocks no other", async (t) => {
    const [at, netns] = [folder(t), await namespace(t)];
    const first = startAgent(t, at, { name: "alpha", netns, state: `${at}/alpha` });
    assert.equal(await first.ready, true, first.said());
    const wanted = { name: "beta", netns, state: `${at}/beta` };
    const second = startAgent(t, at, wanted);
    assert.equal(await second.ready, false);
    assert.equal(second.process.exitCode, 1);
    assert.match(
      second.said(),
      new RegExp(
        `^error: run the agent of beta: another agent runs in this network namespace: process ${first.process.pid}, ` +
          `host alpha, state folder ${at}/alpha\nhint: end it first.*\n.*NL-204`,
      ),
    );
    assert.deepEqual([existsSync(wanted.state), existsSync(`${at}/bpf-beta`)], [false, false]);
    first.process.kill("SIGKILL");
    assert.equal(await first.ready, true);
    const third = startAgent(t, at, wanted);
    assert.equal(await third.ready, true, third.said());
  });

  test("on the same state folder is refused with the name of the first, whatever namespace it is in", async (t) => {
    const [at, here, there] = [folder(t), await namespace(t), await namespace(t)];
    const state = `${at}/state`;
    const first = startAgent(t, at, { name: "alpha", netns: here, state });
    assert.equal(await first.ready, true, first.said());
    const before = readFileSync(`${state}/lock`, "utf8");
    const second = startAgent(t, at, { name: "beta", netns: there, state });
    assert.equal(await second.ready, false);
    assert.match(
      second.said(),
      new RegExp(
        `^error: run the agent of beta: another agent has the state folder ${state}: process ${first.process.pid}, host alpha`,
      ),
    );
    assert.equal(readFileSync(`${state}/lock`, "utf8"), before);
    first.process.kill("SIGTERM");
    await once(first.process, "exit");
    const third = startAgent(t, at, { name: "beta", netns: there, state });
    assert.equal(await third.ready, true, third.said());
  });

  test("on the same folder of pins is refused, because the devices of two hosts have the same numbers", async (t) => {
    const [at, here, there] = [folder(t), await namespace(t), await namespace(t)];
    const pins = "bpf-alpha";
    const first = startAgent(t, at, { name: "alpha", netns: here, state: `${at}/alpha`, pins });
    assert.equal(await first.ready, true, first.said());
    const wanted = { name: "beta", netns: there, state: `${at}/beta` };
    const second = startAgent(t, at, { ...wanted, pins });
    assert.equal(await second.ready, false);
    assert.match(
      second.said(),
      new RegExp(
        `^error: run the agent of beta: another agent has the folder of pins ${at}/${pins}: process ${first.process.pid}, ` +
          `host alpha, state folder ${at}/alpha\nhint: .*--bpffs\n`,
      ),
    );
    const third = startAgent(t, at, wanted);
    assert.equal(await third.ready, true, third.said());
  });
});
