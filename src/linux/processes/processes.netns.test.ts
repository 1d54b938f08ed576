import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { LinuxMachine } from "../machine/machine.ts";
import { identityAt } from "../namespaces/netns.ts";
import { needsRoot, strayThreads } from "../../../fixtures/linux/netns.ts";
import { OWN } from "../machine/open-need.ts";
import { linuxProcesses } from "./processes.ts";

test("a held process is known to have ended, even before its parent has waited for it", async () => {
  const child = spawn(process.execPath, ["-e", "setTimeout(() => {}, 60000)"]);
  await once(child, "spawn");
  const held = await linuxProcesses(OWN).hold(child.pid ?? 0);
  assert.equal(held.isAlive(), true);
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
  assert.equal(held.isAlive(), false);
  held.release();
  held.release();
  assert.equal(held.isAlive(), false);
});

test("a missing process cannot be held", async () => {
  await assert.rejects(linuxProcesses(OWN).hold(0x3fffff), { code: "NOT_FOUND" });
});

test(
  "a program starts in a namespace, and survives the end of its starter",
  { skip: needsRoot },
  async (t) => {
    const machine = await LinuxMachine.open();
    const path = `/run/netns/nlt${process.pid}-spawn`;
    const folder = mkdtempSync(join(tmpdir(), "netloom-spawn-"));
    await machine.createNetns(path);
    t.after(() => rmSync(folder, { recursive: true }));
    const logFile = join(folder, "log");
    const script = "console.log(process.env.WORD); setTimeout(() => {}, 60000)";
    const pid = await machine.spawn(`file://${path}`, {
      argv: [process.execPath, "-e", script],
      environment: { WORD: "hello" },
      logFile,
    });
    t.after(() => process.kill(pid, "SIGKILL"));
    assert.equal(identityAt(`/proc/${pid}/ns/net`), identityAt(path));
    assert.deepEqual(strayThreads(), []);
    const held = await linuxProcesses(OWN).hold(pid);
    while (readFileSync(logFile, "utf8") !== "hello\n" && held.isAlive()) await new Promise(setImmediate);
    await machine.removeNetns(path);
    await machine.close();
    assert.equal(held.isAlive(), true);
    held.release();
  },
);
