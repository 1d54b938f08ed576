/**
 * A copy of the tree in a temporary folder, for tests that add an extension as its authors do: one folder and one line
 * of a list. There it compiles, runs as `netloom`, and generates its documents.
 */
import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { violations } from "../../scripts/house-rules.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** All files and folders that sources, tests and documents need. */
const PARTS = [
  "bin",
  "src",
  "fixtures",
  "e2e",
  "bench",
  "scripts",
  "docs",
  "examples",
  "datapath/build",
  "package.json",
  "package-lock.json",
  "tsconfig.json",
] as const;

export interface Printed {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command line, and the host of the mesh whose agent it addresses. */
interface MeshCommand {
  readonly host: "alpha" | "beta";
  readonly args: readonly string[];
}

/** The argument of `extending-mesh.ts`. */
export interface MeshRun {
  /** Paths of the network namespaces that exist. */
  readonly namespaces: readonly string[];
  readonly commands: readonly MeshCommand[];
}

export class HouseCopy {
  readonly folder: string;
  readonly #added: string[] = [];

  /** The copy is removed after `t`. */
  constructor(t: TestContext) {
    this.folder = mkdtempSync(join(tmpdir(), "netloom-house-"));
    t.after(() => rmSync(this.folder, { recursive: true }));
    for (const part of PARTS) {
      mkdirSync(dirname(join(this.folder, part)), { recursive: true });
      cpSync(join(ROOT, part), join(this.folder, part), { recursive: true });
    }
    symlinkSync(join(ROOT, "node_modules"), join(this.folder, "node_modules"));
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  read(name: string): string {
    return readFileSync(this.path(name), "utf8");
  }

  /** Adds a file: `src/resolvers/vm/vm.ts`. */
  write(name: string, text: string): void {
    mkdirSync(dirname(this.path(name)), { recursive: true });
    writeFileSync(this.path(name), text);
    this.#added.push(name);
  }

  /**
   * Adds an entry to a list of the copy: inserts the line `imported` before the first import of the file `name`, and
   * replaces the text `before`, which occurs once, with `after`.
   */
  extend(name: string, imported: string, before: string, after: string): void {
    const text = this.read(name);
    assert.equal(text.split(before).length, 2, `${before} is there once in ${name}`);
    const longer = text.replace(before, after);
    writeFileSync(this.path(name), longer.replace(/^import /m, `${imported}\n$&`));
    this.#added.push(name);
  }

  /** Asserts that the copy compiles, and that the addition follows the rules of the rooms. */
  check(): void {
    const { status, stdout } = spawnSync(
      process.execPath,
      [join(ROOT, "node_modules/typescript/bin/tsc"), "-p", this.folder],
      { cwd: this.folder, encoding: "utf8" },
    );
    assert.equal(stdout, "");
    assert.equal(status, 0);
    const sources = this.#added.filter((name) => name.startsWith("src/") && name.endsWith(".ts"));
    const found = sources.flatMap((name) =>
      violations({ path: name.slice("src/".length), text: this.read(name) }),
    );
    assert.deepEqual(found, []);
  }

  /** Runs `netloom args…` of the copy. */
  async netloom(...args: string[]): Promise<Printed> {
    return await this.#run(this.path("bin/netloom"), args);
  }

  /** Writes the generated documents of the copy: docs/reference/cli.md, docs/schema. */
  async makeDocs(): Promise<void> {
    const printed = await this.node("scripts/docs.ts");
    assert.deepEqual(printed, { code: 0, stdout: "", stderr: "" });
  }

  /** Runs a program of the copy. */
  async node(program: string, ...args: string[]): Promise<Printed> {
    return await this.#run(this.path("bin/node"), [
      "--disable-warning=ExperimentalWarning",
      this.path(program),
      ...args,
    ]);
  }

  /**
   * Runs commands one after the other at the agents `alpha` and `beta` of a mesh of the copy: the real code of the
   * processes on a simulated kernel. Returns the output of each.
   */
  async mesh(run: MeshRun): Promise<Printed[]> {
    const { stdout, stderr, code } = await this.node("e2e/extending/extending-mesh.ts", JSON.stringify(run));
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout) as Printed[];
  }

  async #run(program: string, args: readonly string[]): Promise<Printed> {
    return await runProgram(program, args, this.folder);
  }
}

/** Runs a program to its end; a failure of the program is not an error. */
export async function runProgram(program: string, args: readonly string[], cwd: string): Promise<Printed> {
  try {
    const { stdout, stderr } = await promisify(execFile)(program, [...args], { cwd });
    return { code: 0, stdout, stderr };
  } catch (error) {
    const { code, stdout = "", stderr = "" } = error as Partial<Printed>;
    if (typeof code !== "number") throw error;
    return { code, stdout, stderr };
  }
}
