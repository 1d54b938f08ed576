/** The completion scripts, run by their own shells. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, suite, test } from "node:test";
import { ERROR_PAGES } from "../errors/error-pages.ts";
import { Agents, isRoot } from "../../../fixtures/cli/agents.ts";
import { netloom, netloomPath } from "../spawn-netloom.ts";

const folder = mkdtempSync(join(tmpdir(), "nlt-"));
const shared = { agents: undefined as Agents | undefined };

before(async () => {
  mkdirSync(join(folder, "bin"));
  symlinkSync(netloomPath, join(folder, "bin", "netloom"));
  for (const name of ["shop.yaml", "other.yaml"]) writeFileSync(join(folder, name), "");
  shared.agents = await Agents.start();
  const { lab } = shared.agents;
  const agent = ["--agent", shared.agents.url("alpha")];
  await netloom(["expose", `${lab}/alpha/api`, "db", "--pool", "172.16.0.0/24", ...agent]);
  await netloom(["connect", `${lab}/alpha/web`, "kernel://db/nsm-1", ...agent]);
});
after(async () => {
  await shared.agents?.close();
  rmSync(folder, { recursive: true });
});

function agentUrl(): string {
  assert.ok(shared.agents);
  return shared.agents.url("alpha");
}

/** Runs a script with `netloom` in the path. */
async function run(shell: string, args: readonly string[], script: string): Promise<string> {
  const child = spawn(shell, [...args, "-c", script], {
    cwd: folder,
    env: { ...process.env, PATH: `${join(folder, "bin")}:${process.env["PATH"]}`, NETLOOM_AGENT: agentUrl() },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
  assert.equal(err, "", shell);
  return out;
}

/** The candidates that the shell offers for each line. */
type Complete = (lines: readonly string[]) => Promise<string[][]>;

const marked = (out: string): string[][] =>
  out
    .split("<end>\n")
    .slice(0, -1)
    .map((part) => part.split("\n").filter((word) => word !== ""));

const bash: Complete = async (lines) => {
  const tries = lines.map((line) => `try '${line}'`).join("\n");
  const script = `source <(netloom completion bash)
try() { COMP_LINE="$1" COMP_POINT=\${#1} COMPREPLY=(); _netloom; printf '%s\\n' "\${COMPREPLY[@]}"; echo '<end>'; }
${tries}`;
  return marked(await run("bash", ["--norc"], script));
};

const fish: Complete = async (lines) => {
  const tries = lines.map((line) => `complete -C '${line}' | cut -f1; echo '<end>'`).join("\n");
  return marked(await run("fish", ["--no-config"], `netloom completion fish | source\n${tries}`));
};

/** zsh completes only in an interactive session, so the candidates are read from compadd itself. */
const zsh: Complete = async (lines) => {
  const tries = lines.map((line) => `try '${line}'`).join("\n");
  const script = `
compdef() { : }
_files() { print -l -- *"$PREFIX"*(N) }
compset() { PREFIX="\${PREFIX#*=}" }
compadd() { shift; local word; for word in "$@"; do [[ $word == "$PREFIX"* ]] && print -r -- $word; done; true }
_describe() { local item; for item in "\${(@P)2}"; do compadd -- "\${item%%:*}"; done }
source <(netloom completion zsh)
try() { local -a words; words=("\${(@s: :)1}"); local CURRENT=\${#words} PREFIX="\${words[-1]}"; _netloom; echo '<end>' }
${tries}`;
  return marked(await run("zsh", ["-f"], script));
};

const shells: readonly (readonly [string, Complete])[] = [
  ["bash", bash],
  ["zsh", zsh],
  ["fish", fish],
];

for (const [shell, complete] of shells) {
  const isThere = spawnSync(shell, ["--version"]).status === 0;
  suite(`completion for ${shell}`, { skip: isThere ? false : `${shell} is not installed` }, () => {
    test("commands, subcommands, options, choices and files come from the program itself", async () => {
      const lines = [
        "st",
        "lab u",
        "status --wa",
        "status -o ",
        "graph --output m",
        "apply -f sh",
        "lab graph -f do",
        "completion ",
      ];
      assert.deepEqual(
        await complete(lines.map((line) => `netloom ${line}`)),
        [
          ["status"],
          ["up"],
          ["--watch"],
          ["text", "json"],
          ["mermaid"],
          ["shop.yaml"],
          ["dot"],
          ["bash", "zsh", "fish"],
        ].map((words) => (shell === "fish" ? words.sort() : words)),
      );
    });

    test("names of wires, attachments and services come from the agent", async () => {
      const lines = ["ping ", "describe web", "delete web-db api", "why web-db ", "explain NL-30"];
      assert.deepEqual(await complete(lines.map((line) => `netloom ${line}`)), [
        ["alpha/web/nsm-1"],
        ["web-db"],
        ["api-db"],
        ["db"],
        Object.keys(ERROR_PAGES).filter((topic) => topic.startsWith("NL-30")),
      ]);
    });

    test(
      "the agent is the one that the command line names",
      { skip: isRoot ? false : "needs root" },
      async () => {
        const lab = shared.agents?.lab ?? "";
        assert.deepEqual(
          await complete([
            `netloom ping --agent unix:///nowhere.sock `,
            `netloom status --lab ${lab} --host b`,
          ]),
          [[], ["beta"]],
        );
      },
    );
  });
}

test("without an agent completion returns no names, prints no error and does not wait", async () => {
  const { code, stdout, stderr } = await netloom([
    "completion",
    "--names",
    "wires",
    "--line",
    "netloom ping --agent=unix:///nowhere.sock ",
  ]);
  assert.deepEqual([code, stdout, stderr], [0, "", ""]);
});
