/**
 * Checks that npm has installed everything that this machine needs. If npm leaves out an optional package it reports no
 * error, and a tool fails later with a stack trace. npm leaves out a package that is not for this machine, and an optional
 * one whose `engines` do not match the Node that runs npm. That Node may be an old one, which runs nothing later, so the
 * optional packages in package-lock.json have no `engines`.
 *
 * Usage: installed.ts           lists packages missing in node_modules, and fails if there are any
 *        installed.ts --lock    removes the `engines` of optional packages from package-lock.json, after `npm install`
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

/** Paths of packages that a machine with glibc needs and for which `exists` is false. */
export function missingPackages(lock: Lock, cpu: string, exists: (path: string) => boolean): string[] {
  const suits = (wanted: readonly string[] | undefined, own: string): boolean =>
    wanted === undefined || wanted.includes(own);
  return (
    Object.entries(lock.packages)
      // An optional package for any machine belongs to one that is not for this machine.
      .filter(([, { optional, os, cpu }]) => !optional || os || cpu)
      .filter(([, each]) => suits(each.os, "linux") && suits(each.cpu, cpu) && suits(each.libc, "glibc"))
      .map(([path]) => path)
      .filter((path) => path !== "" && !exists(path))
  );
}

/** Paths of packages that npm leaves out silently if an old Node runs it. */
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
