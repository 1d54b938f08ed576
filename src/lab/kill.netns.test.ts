import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { needsRoot } from "../../fixtures/linux/netns.ts";
import { lengthOf, moment } from "../../fixtures/async/until.ts";
import { demo } from "./demo.ts";
import { labFixture, type LabFixture } from "../../fixtures/lab/lab.ts";
import { leftovers } from "./state.ts";
import { wireTexts } from "../../fixtures/documents/documents.ts";

const skip = needsRoot;
const child = fileURLToPath(new URL("../../fixtures/lab/up-child.ts", import.meta.url));

const text = `apiVersion: netloom.dev/v1alpha1
kind: Lab
metadata: { name: NAME }
spec:
  hosts:
    alpha: { workloads: [web, cache] }
    beta: { workloads: [db] }
  routers: [r1]
  links:
    - [alpha, r1]
    - [r1, beta]
${wireTexts(["{ client: alpha/web/nl-1, endpoint: alpha/cache/nl-1 }", "{ client: alpha/web/nl-2, endpoint: beta/db/nl-1 }"])}`;

function labFile(t: TestContext, lab: LabFixture): string {
  const directory = mkdtempSync(join(tmpdir(), "netloom-lab-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const file = join(directory, "lab.yaml");
  writeFileSync(file, text.replace("NAME", lab.name));
  return file;
}

interface Run {
  readonly process: ChildProcess;
  /** Resolves when the child prints `word`, or when it ends. */
  readonly said: (word: string) => Promise<void>;
}

function run(t: TestContext, file: string, works: readonly string[]): Run {
  const started = spawn(process.execPath, [child, file, ...works], { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => started.kill("SIGKILL"));
  const heard = new Set<string>();
  const lines = createInterface({ input: started.stdout });
  lines.on("line", (line) => heard.add(line));
  return {
    process: started,
    async said(word) {
      while (!heard.has(word)) {
        const next = await Promise.race([
          once(lines, "line").then(() => true),
          once(lines, "close").then(() => false),
        ]);
        if (!next) return;
      }
    },
  };
}

/** Kills the child `afterMs` after the start of its work. False if it has finished before. */
async function killAfter(
  t: TestContext,
  file: string,
  works: readonly string[],
  afterMs: number,
): Promise<boolean> {
  const { process, said } = run(t, file, works);
  const ended = once(process, "exit");
  await said("ready");
  await Promise.race([moment(afterMs), ended]);
  process.kill("SIGKILL");
  const [, signal] = (await ended) as [number | null, string | null];
  return signal === "SIGKILL";
}

/** Random times, spread over the duration of the work. */
function moments(count: number, durationMs: number): number[] {
  return Array.from({ length: count }, (_, i) => ((i + Math.random()) / count) * durationMs);
}

async function durationOf(t: TestContext, file: string, works: readonly string[]): Promise<number> {
  const { process, said } = run(t, file, works);
  const ended = once(process, "exit");
  await said("ready");
  const durationMs = await lengthOf(() => said("done"));
  await ended;
  return durationMs;
}

test("down leaves nothing of an up that was killed at any time", { skip }, async (t) => {
  const lab = await labFixture(t);
  const file = labFile(t, lab);
  let durationMs = await durationOf(t, file, ["up"]);
  await lab.down();
  // Later runs are faster than the first one. A run that finishes before its kill gives the new duration.
  let killed = 0;
  for (let runs = 1; killed < 10; runs++) {
    assert.ok(runs <= 40, `only ${killed} of 40 runs could be killed`);
    const at = ((killed + Math.random()) / 10) * durationMs;
    if (await killAfter(t, file, ["up"], at)) killed++;
    else durationMs = at;
    await lab.down();
    assert.deepEqual(await leftovers(lab.name), [], `killed after ${at} ms`);
  }
});

test("up completes an up that was killed at any time", { skip }, async (t) => {
  const lab = await labFixture(t);
  const file = labFile(t, lab);
  const durationMs = await durationOf(t, file, ["up"]);
  await lab.down();
  for (const at of moments(10, durationMs)) {
    await killAfter(t, file, ["up"], at);
    await lab.up(text);
    await lab.assertHealthy();
    assert.equal((await lab.up(text)).changed, false, `killed after ${at} ms`);
    await lab.down();
  }
});

test("up and down work after a down that was killed at any time", { skip }, async (t) => {
  const lab = await labFixture(t);
  const file = labFile(t, lab);
  for (const at of moments(6, 30)) {
    await lab.up(text);
    await killAfter(t, file, ["down"], at);
    await lab.up(text);
    await lab.assertHealthy();
    await lab.down();
    assert.deepEqual(await leftovers(lab.name), []);
  }
});

test("the demo works after a demo that was killed at any time", { skip }, async (t) => {
  const { machine, name } = await labFixture(t);
  const durationMs = await durationOf(t, name, ["demo"]);
  for (const at of moments(5, durationMs)) {
    await killAfter(t, name, ["demo"], at);
    const steps: string[] = [];
    for await (const step of demo(machine, { name })) {
      steps.push(step.step);
      if (step.step === "removed") assert.deepEqual(step.leftovers, []);
    }
    assert.deepEqual(
      steps.filter((step) => step !== "cleaned"),
      ["planned", "built", "probed", "probed", "removed"],
    );
    assert.deepEqual(await leftovers(name), []);
  }
});
