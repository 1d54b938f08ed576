/** A user's first command, with any npm and Node.js on the machine. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { conditionalPackages, type Lock, missingPackages } from "../scripts/installed.ts";

const project = fileURLToPath(new URL("..", import.meta.url));
const lock: Lock = JSON.parse(readFileSync(join(project, "package-lock.json"), "utf8"));
/** The package of the Node.js that runs this test. */
const brought = dirname(dirname(process.execPath));

/** A folder with bin/ at `at`, on a machine with an unusable Node.js. */
function machine(t: TestContext, at: string) {
  const folder = mkdtempSync(join(tmpdir(), "netloom-first-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const installed = join(folder, at);
  const put = (path: string, text: string): void => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  cpSync(join(project, "bin"), join(installed, "bin"), { recursive: true });
  put("system/node", "#!/bin/sh\necho the old Node of the system\n");
  chmodSync(join(folder, "system/node"), 0o755);
  return {
    folder,
    put,
    bring: (modules: string) => {
      mkdirSync(join(folder, modules), { recursive: true });
      symlinkSync(brought, join(folder, modules, `node-linux-${process.arch}`));
    },
    run: (program: string, ...args: string[]) => {
      const env = { PATH: `${join(folder, "system")}:/usr/bin:/bin` };
      return spawnSync(join(installed, "bin", program), args, { cwd: folder, env, encoding: "utf8" });
    },
  };
}

for (const [where, at, modules] of [
  ["below a clone", "clone", "clone/node_modules"],
  ["beside the package", "node_modules/netloom", "node_modules"],
  ["below the package", "node_modules/netloom", "node_modules/netloom/node_modules"],
] as const) {
  test(`Node is found in its own package ${where}, without the link that only some versions of npm make`, (t) => {
    const { bring, run } = machine(t, at);
    bring(modules);
    const { stdout, stderr } = run("node", "--version");
    assert.deepEqual([stdout, stderr], [`${process.version}\n`, ""]);
  });
}

test("a clone without a set-up prints what to run, and the system's Node runs nothing", (t) => {
  const { folder, put, bring, run } = machine(t, "clone");
  put("clone/package-lock.json", "{}");
  put("clone/src/main.ts", "throw new Error('an old Node has got here')");
  const says = `netloom: not set up yet: run 'make -C ${join(folder, "clone")} setup' first\n`;
  for (const program of ["netloom", "node"]) {
    const { status, stdout, stderr } = run(program, "--version");
    assert.deepEqual([status, stdout, stderr], [1, "", says], program);
  }
  // An interrupted set-up does not count.
  bring("clone/node_modules");
  assert.equal(run("netloom", "version").stderr, says);
});

test("a package whose Node npm has left out prints how to get it", (t) => {
  const { put, run } = machine(t, "node_modules/netloom");
  put("node_modules/netloom/dist/main.js", "");
  const { status, stderr } = run("netloom", "version");
  assert.equal(status, 1);
  assert.match(
    stderr,
    /^netloom: the package with its Node is missing, .*npm install --include=optional'\n$/,
  );
});

test("whatever Node runs npm, it installs every package that this machine needs", () => {
  assert.deepEqual(
    conditionalPackages(lock),
    [],
    "make lock takes these conditions out of package-lock.json",
  );
  const exists = (path: string): boolean => existsSync(join(project, path));
  assert.deepEqual(missingPackages(lock, process.arch, exists), []);
  const left = missingPackages(
    lock,
    process.arch,
    (path) => !path.includes("oxlint/binding-") && exists(path),
  );
  assert.deepEqual(left, [`node_modules/@oxlint/binding-linux-${process.arch}-gnu`]);
});
