/**
 * What npm has to install on a machine, and whether it has. An optional package that npm leaves out is no error to npm:
 * it says nothing, and a tool fails later with a stack trace. npm leaves out a package that is not for this machine, and
 * an optional one whose `engines` the Node that runs npm does not meet. That Node is any old one here and runs nothing
 * later, so the optional packages in package-lock.json have no `engines`.
 *
 * Usage: installed.ts           says what is missing in node_modules, and fails if anything is
 *        installed.ts --lock    takes the `engines` of optional packages out of package-lock.json, after `npm install`
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";

interface LockedPackage {
  readonly optional?: boolean;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
  readonly libc?: readonly string[];
  engines?: unknown;
}

export interface Lock {
  readonly packages: Readonly<Record<string, LockedPackage>>;
}

/** Paths of the packages that a machine with glibc needs and that `exists` does not know. */
export function missingPackages(lock: Lock, cpu: string, exists: (path: string) => boolean): string[] {
  const suits = (wanted: readonly string[] | undefined, own: string): boolean =>
    wanted === undefined || wanted.includes(own);
  return (
    Object.entries(lock.packages)
      // An optional one for any machine belongs to one that is not for this machine.
      .filter(([, { optional, os, cpu }]) => !optional || os || cpu)
      .filter(([, each]) => suits(each.os, "linux") && suits(each.cpu, cpu) && suits(each.libc, "glibc"))
      .map(([path]) => path)
      .filter((path) => path !== "" && !exists(path))
  );
}

/** Paths of the packages that npm leaves out silently if an old Node runs it. */
export function conditionalPackages(lock: Lock): string[] {
  return Object.entries(lock.packages)
    .filter(([, each]) => each.optional && each.engines !== undefined)
    .map(([path]) => path);
}

if (import.meta.main) {
  const project = new URL("../", import.meta.url);
  const file = new URL("package-lock.json", project);
  const lock: Lock = JSON.parse(readFileSync(file, "utf8"));
  if (process.argv.includes("--lock")) {
    for (const path of conditionalPackages(lock)) delete lock.packages[path]?.engines;
    writeFileSync(file, `${JSON.stringify(lock, undefined, 2)}\n`);
  } else {
    const missing = missingPackages(lock, process.arch, (path) => existsSync(new URL(path, project)));
    for (const path of missing) console.error(`npm has not installed ${path}`);
    if (missing.length > 0) {
      console.error("look for 'omit', 'os', 'cpu' and 'libc' in the output of: npm config ls -l");
      process.exitCode = 1;
    }
  }
}
