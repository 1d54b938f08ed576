/**
 * Tests that fail, hang, are interrupted or leave something behind: nothing of them stays, and the output reports it.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { needsRoot } from "../fixtures/linux/netns.ts";
import { until } from "../fixtures/async/until.ts";

const script = fileURLToPath(new URL("../scripts/test.sh", import.meta.url));
const options = { skip: needsRoot };

/** Runs `scripts/test.sh` with a file of these lines, in which `forever("a")` starts a daemon in a session of its own. */
function suite(t: TestContext, lines: string, minutes = "3") {
  const folder = mkdtempSync(join(tmpdir(), "netloom-suite-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "a.test.mjs");
  const mark = `4${process.pid}${Math.floor(Math.random() * 1e6)}`;
  const head = `
    import { after, test } from "node:test";
    import { spawn, execFileSync } from "node:child_process";
    import { writeFileSync } from "node:fs";
    const forever = () => spawn("sleep", ["${mark}"], { detached: true, stdio: ["ignore", "inherit", "inherit"] });
    const started = () => writeFileSync(${JSON.stringify(join(folder, "started"))}, "");
  `;
  writeFileSync(file, head + lines);
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  // In its own process group, as a shell makes one for a command at a terminal.
  const child = spawn(script, [file], {
    detached: true,
    env: { ...env, TEST_MINUTES: minutes, TEST_FOLDER: folder },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
  const said = Promise.all([text(child.stdout), text(child.stderr)]);
  return {
    isStarted: () => existsSync(join(folder, "started")),
    signal: (name: NodeJS.Signals, to: "group" | "script") =>
      process.kill((to === "group" ? -1 : 1) * (child.pid ?? assert.fail()), name),
    /** Exit code and output, when everything has ended. */
    outcome: async () => {
      const code = await ended;
      // A process that was told to end takes time; one that holds the output open delays this.
      const [out, err] = await said;
      await until(() => !isRunning(mark));
      return { code, said: out + err };
    },
  };
}

function isRunning(mark: string): boolean {
  return readdirSync("/proc")
    .filter((pid) => /^\d+$/.test(pid))
    .some((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8") === `sleep\0${mark}\0`;
      } catch {
        return false;
      }
    });
}

test(
  "a test that fails while its daemon still runs delays nothing: the daemon is named and ended",
  options,
  async (t) => {
    const { code, said } = await suite(
      t,
      `test("fails", () => { forever(); throw new Error("as planned"); });
     test("the next one runs", () => {});`,
    ).outcome();
    assert.equal(code, 1, said);
    assert.match(said, /as planned/);
    assert.match(said, /✔ the next one runs/);
    assert.match(said, /left running by \S+a\.test\.mjs: sleep \d+ \(process \d+\)/);
  },
);

test("a file whose tests pass but leave a process behind fails", options, async (t) => {
  const { code, said } = await suite(t, `test("passes", () => { forever(); });`).outcome();
  assert.equal(code, 1, said);
  assert.match(said, /left running by/);
});

test("a file whose last hook fails, after a while, fails", options, async (t) => {
  const { code, said } = await suite(
    t,
    `test("passes", () => {});
     after(async () => {
       await new Promise((resolve) => setTimeout(resolve, 4000));
       throw new Error("the hook has failed");
     });`,
  ).outcome();
  assert.equal(code, 1, said);
  assert.match(said, /the hook has failed/);
});

test("kernel objects and files below /run that a test leaves are not on the machine", options, async (t) => {
  const { code, said } = await suite(
    t,
    `test("leaves", () => {
       execFileSync("ip", ["netns", "add", "nlleft"]);
       execFileSync("ip", ["link", "add", "nlleft", "type", "veth", "peer", "name", "nlleft2"]);
     });`,
  ).outcome();
  assert.equal(code, 0, said);
  assert.equal(existsSync("/run/netns/nlleft"), false);
  assert.equal(existsSync("/sys/class/net/nlleft"), false);
});

for (const [title, signal, to] of [
  ["Ctrl-C", "SIGINT", "group"],
  ["the end of its terminal", "SIGHUP", "script"],
  ["a signal to the script alone", "SIGTERM", "script"],
  ["the death of the script", "SIGKILL", "script"],
] as const)
  test(`after ${title} nothing runs`, options, async (t) => {
    const run = suite(
      t,
      `test("hangs", async () => { forever(); started(); await new Promise(() => {}); });`,
    );
    await until(run.isStarted);
    run.signal(signal, to);
    const { code, said } = await run.outcome();
    assert.notEqual(code, 0, said);
  });

test("a run that hangs is aborted, and the output names what was still running", options, async (t) => {
  const { code, said } = await suite(
    t,
    `forever(); started(); setInterval(() => {}, 1000); test("hangs", () => new Promise(() => {}));`,
    "0.05",
  ).outcome();
  assert.notEqual(code, 0, said);
  assert.match(said, /the tests were given up after 0\.05 minutes; still at work:\n.*a\.test\.mjs/);
});
