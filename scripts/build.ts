/**
 * Compiles the published files. tsc leaves out the generated messages, which are JavaScript already. Usage: build.ts
 * [folder]
 */
import { execFileSync } from "node:child_process";
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const project = fileURLToPath(new URL("..", import.meta.url));
const out = process.argv[2] ?? join(project, "dist");

rmSync(out, { recursive: true, force: true });
const compiler = join(project, "node_modules/typescript/bin/tsc");
execFileSync(process.execPath, [compiler, "-p", join(project, "tsconfig.build.json"), "--outDir", out], {
  stdio: "inherit",
});
cpSync(join(project, "src/api/gen"), join(out, "api/gen"), { recursive: true });
