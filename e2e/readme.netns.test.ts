/** The README is true: its commands run, and what it shows of the demo is what the demo prints, but for the figures. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { needsRoot } from "../fixtures/linux/netns.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
const options = { skip: needsRoot, timeout: 120_000 };

function run(command: string): string {
  const { status, stdout, stderr } = spawnSync("sh", ["-c", command], { cwd: root, encoding: "utf8" });
  assert.equal(status, 0, `${command}\n${stdout}${stderr}`);
  return stdout;
}

/** The lines of console blocks, each with what is shown of its output. */
function commands(): { command: string; output: string }[] {
  const blocks = [...readme.matchAll(/```console\n(.*?)```/gs)].map(([, block = ""]) => block);
  return blocks.flatMap((block) =>
    block
      .split(/^\$ /m)
      .slice(1)
      .map((part) => ({ command: part.split("\n")[0] ?? "", output: part.split("\n").slice(1).join("\n") })),
  );
}

/** Figures may differ, and the width that they take. */
function shape(text: string): string {
  return text
    .split("\n")
    .filter((line) => !line.startsWith("set-up:"))
    .map((line) =>
      line
        .trimEnd()
        .replaceAll(/\d+(\.\d+)?/g, "0")
        .replaceAll(/ {2,}/g, "  "),
    )
    .join("\n")
    .trim();
}

test("the demo prints what the README shows", options, () => {
  const shown = commands().find(({ command }) => command === "make demo");
  assert.ok(shown);
  assert.equal(shape(run("bin/netloom demo")), shape(shown.output));
});

test("every other command of the README runs", options, () => {
  const others = commands().filter(({ command }) => command.startsWith("bin/netloom"));
  assert.ok(others.length >= 6);
  for (const { command } of others) run(command);
});

test("every file that the README points to is there", () => {
  const links = [...readme.matchAll(/\]\((?!https?:)([^)#]+)\)/g)].map(([, path = ""]) => path);
  assert.ok(links.length > 5);
  for (const path of links) assert.ok(readFileSync(new URL(`../${path}`, import.meta.url)).length > 0, path);
});
