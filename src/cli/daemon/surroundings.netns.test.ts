/** The surroundings of a command or daemon do not affect it: no variable, file or signal reaches its Node.js. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { findDaemons } from "../../lab/daemons.ts";
import { labFixture } from "../../../fixtures/lab/lab.ts";
import { netloom, netloomPath } from "../spawn-netloom.ts";

const skip = process.getuid?.() === 0 ? false : "needs root";

/** A folder with all files that configure a user's Node.js, and the variables that name them. */
function trap(t: TestContext): {
  readonly folder: string;
  readonly env: Record<string, string>;
  readonly sprung: () => string[];
} {
  const folder = mkdtempSync(join(tmpdir(), "netloom-trap-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const sprung = join(folder, "sprung");
  const write = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const code = `require("node:fs").appendFileSync(${JSON.stringify(sprung)}, "ran " + process.argv[1] + "\\n");`;
  const module = write("trap.cjs", code);
  write("node.config.json", JSON.stringify({ nodeOptions: { require: [module] } }));
  write(".env", `NODE_OPTIONS=--require ${module}\n`);
  write(".npmrc", `node-options=--require ${module}\n`);
  write("tsconfig.json", JSON.stringify({ compilerOptions: { paths: { "*": ["../trap.cjs"] } } }));
  write("openssl.cnf", "openssl_conf = a\n[a]\nproviders = b\n[b]\ndefault = c\n[c]\nactivate = 0\n");
  const file = (name: string): string => join(folder, name);
  return {
    folder,
    env: {
      HOME: folder,
      NODE_OPTIONS: `--require ${module} --inspect=127.0.0.1:0`,
      NODE_PATH: folder,
      NODE_COMPILE_CACHE: file("compiled"),
      NODE_V8_COVERAGE: file("coverage"),
      NODE_REDIRECT_WARNINGS: file("warnings"),
      NODE_DEBUG: "net,fs",
      NODE_EXTRA_CA_CERTS: file("none.pem"),
      NODE_PENDING_DEPRECATION: "1",
      OPENSSL_CONF: file("openssl.cnf"),
      GRPC_TRACE: "all",
      GRPC_VERBOSITY: "DEBUG",
      UV_THREADPOOL_SIZE: "1",
    },
    sprung: () => [
      ...(existsSync(sprung) ? readFileSync(sprung, "utf8").split("\n") : []),
      ...["compiled", "coverage", "warnings"].filter((name) => existsSync(file(name))),
    ],
  };
}

/** The environment of a process as Node.js reads it. */
function environmentOf(pid: number): Record<string, string | undefined> {
  const lines = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
  return Object.fromEntries(lines.map((line) => [line.split("=")[0], line.slice(line.indexOf("=") + 1)]));
}

/** Local ports at which a process listens: the debugger's would be one. */
function listeningPorts(pid: number): string[] {
  const inodes = readdirSync(`/proc/${pid}/fd`).map((fd) => {
    try {
      return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1];
    } catch {
      return undefined;
    }
  });
  return ["tcp", "tcp6"].flatMap((table) =>
    readFileSync(`/proc/${pid}/net/${table}`, "utf8")
      .split("\n")
      .map((line) => line.trim().split(/ +/))
      .filter((words) => words[3] === "0A" && inodes.includes(words[9]))
      .map((words) => words[1] ?? ""),
  );
}

test("a command behaves the same whatever its caller has set for Node and in any working directory", async (t) => {
  const { folder, env, sprung } = trap(t);
  const plain = await netloom(["version"]);
  const trapped = await netloom(["version"], { env, cwd: folder });
  assert.deepEqual(trapped, plain);
  assert.deepEqual(sprung(), []);
});

test("each variable that the pinned Node reads is kept out or harmless", () => {
  const script = readFileSync(netloomPath, "utf8");
  const { stdout } = spawnSync(process.execPath, ["--help"], { encoding: "utf8" });
  const known = [...stdout.slice(stdout.indexOf("Environment variables:")).matchAll(/^([A-Z_0-9]{2,})/gm)];
  const harmless = ["FORCE_COLOR", "NO_COLOR", "NODE_DISABLE_COLORS", "TZ", "UV_THREADPOOL_SIZE"];
  const names = known.map(([, name]) => name ?? "").filter((name) => !harmless.includes(name));
  assert.ok(names.length > 10, stdout);
  assert.deepEqual(
    names.filter((name) => !new RegExp(`\\b${name}\\b`).test(script)),
    [],
  );
});

test(
  "neither a signal nor the environment of `lab up` opens a debugger in an agent or ends the agent",
  { skip },
  async (t) => {
    const { folder, env, sprung } = trap(t);
    const lab = await labFixture(t);
    const file = join(folder, "lab.yaml");
    writeFileSync(
      file,
      `apiVersion: netloom.dev/v1alpha1\nkind: Lab\nmetadata: { name: ${lab.name} }\nspec:\n  hosts: { alpha: { workloads: [web] } }\n  agents: true\n`,
    );
    const up = await netloom(["lab", "up", file], { env });
    assert.equal(up.code, 0, up.stderr);
    const daemons = findDaemons(lab.name);
    assert.deepEqual(daemons.map(({ kind }) => kind).toSorted(), ["agent", "registry"]);
    for (const { pid, kind } of daemons) {
      const before = listeningPorts(pid);
      assert.equal(before.length, kind === "registry" ? 1 : before.length);
      process.kill(pid, "SIGUSR1");
      const asked = await netloom(["status", "--lab", lab.name]);
      assert.equal(asked.code, 0, asked.stderr);
      assert.deepEqual(listeningPorts(pid), before, kind);
      const { NODE_OPTIONS, UV_THREADPOOL_SIZE, NODE_COMPILE_CACHE } = environmentOf(pid);
      assert.deepEqual([NODE_OPTIONS, UV_THREADPOOL_SIZE], [undefined, "32"]);
      assert.notEqual(NODE_COMPILE_CACHE, env["NODE_COMPILE_CACHE"]);
    }
    assert.deepEqual(sprung(), []);
  },
);
