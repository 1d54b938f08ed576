import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { release, tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { test, type TestContext } from "node:test";
import type { Command } from "commander";
import { Output } from "./output.ts";
import { buildProgram } from "./program.ts";
import { cliReference, helpOf } from "./reference.ts";
import { netloom, netloomOfNobody, netloomPath } from "./spawn-netloom.ts";
import { wireTexts } from "../../fixtures/documents/documents.ts";

const isRoot = process.getuid?.() === 0;

async function everyCommand(): Promise<Command[]> {
  const nowhere = new Output(new PassThrough(), {});
  const { signal } = new AbortController();
  const context = {
    format: "text",
    out: nowhere,
    err: nowhere,
    signal,
    audience: signal,
    setExitCode: () => {},
  } as const;
  const all = (command: Command): Command[] => [command, ...command.commands.flatMap(all)];
  return all(await buildProgram(context, "all"));
}

test("docs/reference/cli.md is the help of the commands, word for word", async () => {
  const written = readFileSync(new URL("../../docs/reference/cli.md", import.meta.url), "utf8");
  assert.equal(written, await cliReference(), "run `make docs`");
});

test("every command has a summary, a description and examples that call it", async () => {
  const [program, ...commands] = await everyCommand();
  assert.ok(program !== undefined && commands.length >= 11);
  for (const command of commands) {
    assert.ok(command.summary().length > 10 && command.description().length > 10, command.name());
    assert.match(
      helpOf(command),
      new RegExp(`Examples:\n {2}\\$ .*netloom .*${command.name()}`),
      command.name(),
    );
  }
});

test("help fits into 110 columns, examples aside", async () => {
  for (const command of await everyCommand()) {
    const [help = ""] = helpOf(command).split("Examples:");
    for (const line of help.split("\n")) assert.ok(line.length <= 110, line);
  }
});

test("the environment can set every option", async () => {
  for (const command of await everyCommand()) {
    for (const { long, envVar } of command.options) {
      // This option runs a command.
      if (long === "--version") continue;
      assert.equal(envVar, `NETLOOM_${long?.slice(2).toUpperCase().replaceAll("-", "_")}`);
    }
  }
});

test("version prints one line, and the documented JSON", async () => {
  const text = await netloom(["version"]);
  assert.deepEqual([text.code, text.stderr], [0, ""]);
  assert.match(text.stdout, /^netloom \d+\.\d+\.\d+ \(node 24\.\d+\.\d+, linux \S+, \w+\)\n$/);
  const json = await netloom(["version", "-o", "json"]);
  const document: Record<string, unknown> = JSON.parse(json.stdout);
  assert.deepEqual(Object.keys(document), ["version", "node", "kernel", "architecture"]);
  assert.equal(document["kernel"], release());
});

test("the environment sets an option's value, and the command line wins", async () => {
  const json = await netloom(["version"], { env: { NETLOOM_OUTPUT: "json" } });
  assert.ok(json.stdout.startsWith("{"));
  const text = await netloom(["version", "-o", "text"], { env: { NETLOOM_OUTPUT: "json" } });
  assert.ok(text.stdout.startsWith("netloom "));
});

const wrong: readonly (readonly [string, string[], RegExp])[] = [
  [
    "an unknown command, with a suggestion",
    ["versoin"],
    /^error: unknown command 'versoin'\nhint: did you mean version\? .*--help.*\nmore: netloom explain NL-104\n$/,
  ],
  ["an unknown subcommand", ["lab", "upp"], /unknown command 'upp'\nhint: did you mean up\?/],
  [
    "help on an unknown command",
    ["versoin", "--help"],
    /unknown command 'versoin'\nhint: did you mean version\?/,
  ],
  [
    "help on a command with no similar name",
    ["nosuch", "-h"],
    /^error: unknown command 'nosuch'\nhint: add --help/,
  ],
  ["help on an unknown subcommand", ["lab", "upp", "--help"], /hint: did you mean up\?/],
  ["the help of an unknown command", ["help", "nosuch"], /unknown command 'nosuch'/],
  [
    "an unknown option, with a suggestion",
    ["version", "--outptu", "json"],
    /\nhint: did you mean --output\?/,
  ],
  ["a value that is not a choice", ["version", "-o", "xml"], /Allowed choices are text, json/],
  ["a missing argument", ["lab", "up"], /missing required argument 'file'/],
  ["no program to run", ["lab", "exec", "two", "alpha", "--"], /missing required argument 'program'/],
  ["an argument too many", ["version", "now"], /too many arguments/],
  ["no command at all", [], /Usage: netloom <command>/],
  ["half a command", ["lab"], /Usage: netloom lab/],
  ["no file to apply", ["apply"], /required option '-f, --file <file>' not specified/],
  ["nothing to delete", ["delete"], /missing required argument 'attachment', or --file/],
  ["no service to connect to", ["connect", "web"], /missing required argument 'service'/],
  ["a name for two wires", ["connect", "web", "db", "mail", "--name", "x"], /are for one service/],
  ["an invalid number", ["ping", "web", "-c", "many"], /It is a whole number, 1 or more/],
  ["an invalid time", ["apply", "-f", "x", "--wait", "soon"], /It is a number of seconds/],
  ["a time that is too long", ["apply", "-f", "x", "--wait", "601"], /It is at most 600 seconds/],
  ["an unknown shell", ["completion", "csh"], /Allowed choices are bash, zsh, fish/],
  ["no shell", ["completion"], /missing required argument 'shell'/],
];

for (const [what, args, message] of wrong) {
  test(`exit code 2 for ${what}`, async () => {
    const { code, stdout, stderr } = await netloom(args);
    assert.deepEqual([code, stdout], [2, ""]);
    assert.match(stderr, message);
    assert.doesNotMatch(stderr, /^\s+at /m);
  });
}

test("with -o json a wrong command line is reported like every other error", async () => {
  for (const args of [
    ["nosuch"],
    ["lab"],
    ["version", "--nosuch"],
    ["lab", "up"],
    ["nosuch", "--help"],
    ["ping", "web", "-c", "many"],
  ]) {
    const { code, stdout, stderr } = await netloom([...args, "-o", "json"]);
    assert.deepEqual([args, code, stdout], [args, 2, ""]);
    const { error }: { error: Record<string, unknown> } = JSON.parse(stderr);
    assert.deepEqual(Object.keys(error), ["code", "topic", "message", "hint"]);
    assert.equal(error["topic"], "NL-104");
  }
});

test("--version and -V run the command version", async () => {
  const { stdout } = await netloom(["version"]);
  for (const flag of ["--version", "-V"]) {
    assert.deepEqual(await netloom([flag]), { code: 0, stdout, stderr: "" });
    assert.match((await netloom([flag, "-o", "json"])).stdout, /^\{\n {2}"version"/);
  }
});

test("--help and help go to stdout with exit code 0", async () => {
  for (const args of [
    ["--help"],
    ["help"],
    ["help", "version"],
    ["lab", "up", "--help"],
    ["lab", "help", "up"],
  ]) {
    const { code, stdout, stderr } = await netloom(args);
    assert.deepEqual([code, stderr], [0, ""], args.join(" "));
    assert.match(stdout, /^Usage: netloom/);
  }
});

test("help on one command shows its options and examples", async () => {
  const { stdout } = await netloom(["help", "version"]);
  assert.match(stdout, /--output <format>[^]*NETLOOM_OUTPUT[^]*Examples:/);
});

test("help explains --interface for each end", async () => {
  assert.match((await netloom(["help", "connect"])).stdout, /--interface <device> +name of the device in/);
  assert.match(
    (await netloom(["help", "expose"])).stdout,
    /--interface <device> +prefix of the device names/,
  );
});

test("a failed operation prints what, why and what to do, without a stack, and exits with 1", async () => {
  const { code, stdout, stderr } = await netloom(["lab", "validate", "/nowhere/two.yaml"]);
  assert.deepEqual([code, stdout], [1, ""]);
  assert.match(
    stderr,
    /^error: read lab file \/nowhere\/two\.yaml: there is no such file\nhint: [^\n]+\nmore: netloom explain NL-101\n$/,
  );
});

test("with -o json an error is a JSON document on stderr", async () => {
  const { code, stdout, stderr } = await netloom(["lab", "validate", "/nowhere/two.yaml", "-o", "json"]);
  assert.deepEqual([code, stdout], [1, ""]);
  const { error }: { error: Record<string, unknown> } = JSON.parse(stderr);
  assert.deepEqual(Object.keys(error), ["code", "topic", "message", "hint"]);
  assert.equal(error["code"], "NOT_FOUND");
});

test("NETLOOM_DEBUG=1 adds the stack and the causes", async () => {
  const { stderr } = await netloom(["lab", "validate", "/nowhere/two.yaml"], { env: { NETLOOM_DEBUG: "1" } });
  assert.match(stderr, /\n\s+at [^]*ENOENT/);
});

test("no escape sequence goes into a pipe", async () => {
  for (const args of [
    ["--help"],
    ["version"],
    ["doctor"],
    ["nonsense"],
    ["lab", "validate", "/nowhere.yaml"],
    ["status", "--agent", "unix:///nowhere.sock"],
    ["explain", "303"],
  ]) {
    const { stdout, stderr } = await netloom(args);
    assert.ok(!(stdout + stderr).includes("\u001B"), args.join(" "));
  }
});

test("colour is only for terminals, and NO_COLOR or TERM=dumb turn it off", () => {
  const terminal = { write: () => true, isTTY: true };
  const colored = (out: Output): boolean => out.style("red", "x") !== "x";
  assert.ok(colored(new Output(terminal, { TERM: "xterm" })));
  assert.ok(!colored(new Output(terminal, { TERM: "xterm", NO_COLOR: "1" })));
  assert.ok(!colored(new Output(terminal, { TERM: "dumb" })));
  assert.ok(!colored(new Output({ write: () => true }, { TERM: "xterm" })));
});

test("a reader that leaves early is not an error", async () => {
  const shell = spawn("sh", ["-c", `"${netloomPath}" doctor; echo "code $?" >&2`], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  shell.stdout.destroy();
  let stderr = "";
  for await (const part of shell.stderr) stderr += String(part);
  assert.match(stderr, /^code [01]\n$/);
});

const wrongFile = `wrong-${"x".repeat(200)}.yaml`;

/** A folder with two labs: one whose script has hundreds of kilobytes, and one whose list of mistakes has as many. */
async function bigFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "netloom-pipe-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const names = Array.from({ length: 400 }, (_, i) => `w${i}`);
  const wires = names.slice(1).map((name) => `{ client: a/w0, endpoint: a/${name} }`);
  const lab = `apiVersion: netloom.dev/v1alpha1\nkind: Lab\nmetadata: { name: big }\nspec:\n  hosts: { a: { workloads: [${names.join(", ")}] } }\n${wireTexts(wires)}`;
  await writeFile(join(folder, "big.yaml"), lab);
  await writeFile(join(folder, wrongFile), lab.replaceAll(": a/", ": b/"));
  return folder;
}

test("a pipe gets the whole output, however slow its reader is", async (t) => {
  const folder = await bigFolder(t);
  for (const command of [
    "script big.yaml",
    `lab validate ${wrongFile}`,
    `lab validate ${wrongFile} -o json`,
  ]) {
    const shell = `"${netloomPath}" ${command}`;
    // Output to a file never waits.
    const whole = spawnSync("sh", ["-c", `${shell} >whole 2>&1; cat whole`], {
      cwd: folder,
      maxBuffer: 1e9,
    });
    const piped = spawnSync(
      "sh",
      ["-c", `{ ${shell} 2>&1; echo $? >code; } | dd bs=512 2>/dev/null; cat code`],
      {
        cwd: folder,
        maxBuffer: 1e9,
      },
    );
    assert.ok(whole.stdout.length > 100_000, `${command} has ${whole.stdout.length} bytes`);
    const code = command.startsWith("script") ? 0 : 1;
    assert.equal(String(piped.stdout), `${String(whole.stdout)}${code}\n`);
  }
});

test("a signal ends a command that waits for its reader, and the exit code shows the signal", async (t) => {
  const folder = await bigFolder(t);
  const child = spawn(netloomPath, ["script", "big.yaml"], {
    cwd: folder,
    stdio: ["ignore", "pipe", "ignore"],
  });
  // From here on no process reads.
  await once(child.stdout, "readable");
  child.kill("SIGTERM");
  assert.deepEqual(await once(child, "exit"), [143, null]);
  child.stdout.destroy();
});

test("a result that cannot be written is an error", async () => {
  const shell = spawn("sh", ["-c", `"${netloomPath}" explain > /dev/full; echo "code $?" >&2`], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let stderr = "";
  for await (const part of shell.stderr) stderr += String(part);
  assert.match(stderr, /^error: write the result: ENOSPC: .*\nhint: .*\nmore: .*\ncode 1\n$/);
});

for (const args of [
  ["demo"],
  ["lab", "up", "two.yaml"],
  ["lab", "down", "two"],
  ["lab", "exec", "two", "alpha", "--", "id"],
]) {
  const command = args.join(" ");
  const skip = isRoot ? false : "needs root, to run as another user";
  test(
    `netloom ${command} without root is refused in one sentence, before anything is done`,
    { skip },
    async () => {
      const { code, stdout, stderr } = await netloomOfNobody(args);
      assert.deepEqual([code, stdout], [1, ""]);
      assert.match(
        stderr,
        /^error: [^\n]+: needs root \(missing: CAP_NET_ADMIN[^\n]*\)\nhint: run it as root: sudo /,
      );
      assert.match(stderr, new RegExp(`sudo netloom ${command}\nmore: netloom explain NL-103\n$`));
    },
  );
}

test(
  "doctor without root reports that, and exits with 1",
  { skip: isRoot ? false : "needs root" },
  async () => {
    const { code, stdout } = await netloomOfNobody(["doctor"]);
    assert.equal(code, 1);
    assert.match(stdout, /✗ CAP_NET_ADMIN is missing\n {6}why: [^\n]+\n {6}fix: sudo netloom doctor\n/);
  },
);

test("the list of commands is the same whether they are loaded or not", async () => {
  const [program] = await everyCommand();
  assert.ok(program !== undefined);
  assert.equal((await netloom(["--help"])).stdout.trim(), helpOf(program).trim());
});
