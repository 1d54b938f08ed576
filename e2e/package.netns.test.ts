/**
 * The published package, as another project has it after `npm install`: the compiled files and those listed in
 * package.json, with its dependencies, without the sources.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { needsRoot } from "../fixtures/linux/netns.ts";

const project = fileURLToPath(new URL("..", import.meta.url));

/** Installs the package and returns its folder. */
function install(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "netloom-package-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const modules = join(directory, "node_modules");
  const installed = join(modules, "netloom");
  mkdirSync(installed, { recursive: true });
  execFileSync(process.execPath, [join(project, "scripts/build.ts"), join(installed, "dist")]);
  const manifest: { files: string[] } = JSON.parse(readFileSync(join(project, "package.json"), "utf8"));
  for (const path of ["package.json", ...manifest.files.filter((path) => path !== "dist")])
    cpSync(join(project, path), join(installed, path), { recursive: true });
  // Without .bin: not every npm makes the link to Node in it.
  for (const name of readdirSync(join(project, "node_modules")).filter((name) => !name.startsWith(".")))
    symlinkSync(join(project, "node_modules", name), join(modules, name));
  return installed;
}

test("the compiled package makes a wire between hosts, and removes it", { skip: needsRoot }, (t) => {
  const installed = install(t);
  const netloom = (...args: string[]): string =>
    execFileSync(join(installed, "bin/netloom"), args, { cwd: "/", encoding: "utf8" });
  assert.deepEqual(
    readdirSync(join(installed, "dist"), { recursive: true }).filter((file) =>
      /test|fixture/.test(String(file)),
    ),
    [],
  );
  const { version } = JSON.parse(netloom("version", "-o", "json"));
  assert.equal(version, JSON.parse(readFileSync(join(project, "package.json"), "utf8")).version);
  assert.match(netloom("doctor", "-o", "json"), /"vxlan/);
  const name = `t${process.pid.toString(36)}xp`;
  const file = join(installed, "lab.yaml");
  const example = readFileSync(join(installed, "examples/mesh.yaml"), "utf8");
  writeFileSync(file, example.replace("name: mesh", `name: ${name}`));
  try {
    netloom("lab", "up", file);
    assert.match(netloom("lab", "status", name, "--ping"), / ms +up\n$/);
  } finally {
    netloom("lab", "down", name);
  }
});
