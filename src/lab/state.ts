/**
 * The state of a lab between two commands, in /run/netloom/labs/<lab>/:
 *
 *   lab.yaml      the last file that was applied completely
 *   pending.yaml  the file that is being applied; it stays only if `up` was killed
 *   lock          held (flock) by the process that changes the lab; the kernel releases it when the process dies
 *   bpf/<host>/   the bpffs with the programs of a host
 *
 * Everything here can be lost: `down` finds the rest by the names of the namespaces.
 */
import {
  closeSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { mountsBelow, unmountBelow } from "../linux/namespaces/mounts.ts";
import { namedNamespaces } from "../linux/namespaces/netns-lifecycle.ts";
import { lockFile } from "../linux/libc/syscall.ts";
import { NetloomError } from "../errors/errors.ts";
import { quote } from "../text/problem.ts";
import { LAB_NAME_PART } from "./file/names.ts";
import { namespacePrefix } from "./topology/topology.ts";

const labsDirectory = "/run/netloom/labs";

/** Time for which a command waits for another one that changes the same lab, or for the end of a killed one. */
const lockPatienceMs = 10_000;
const lockRetryMs = 20;

export function stateDirectory(lab: string): string {
  return join(labsDirectory, lab);
}

export function bpffsDirectory(lab: string, host: string): string {
  return join(stateDirectory(lab), "bpf", host);
}

/** Checks the name of a lab, which becomes part of paths. INVALID_ARGUMENT if it is invalid. */
export function checkLabName(name: string): void {
  if (LAB_NAME_PART.test(name)) return;
  throw new NetloomError("INVALID_ARGUMENT", `${quote(name)} is not a lab name`, {
    hint: "names of labs are 1-12 lower-case letters and digits, a letter first; netloom lab status lists those that are up",
  });
}

/** The right to change a lab. */
export interface LabLock {
  readonly lab: string;
  /** Releases the lock, and removes the lab's directory if it has no other files. */
  release(): void;
}

/**
 * Waits up to 10 s for the right to change the lab, and makes the lab's directory. The lock ends with the process in
 * any case. ABORTED if another process keeps the lock.
 */
export async function lockLab(lab: string): Promise<LabLock> {
  const directory = stateDirectory(lab);
  const path = join(directory, "lock");
  const giveUpAt = performance.now() + lockPatienceMs;
  for (;;) {
    await mkdir(directory, { recursive: true, mode: 0o755 });
    const fd = openLock(path);
    if (fd !== undefined) {
      // A process that took the lab down meanwhile has removed the file that we hold.
      if (lockFile(fd) && isSameFile(fd, path)) {
        ftruncateSync(fd);
        writeSync(fd, `${process.pid}\n`);
        return { lab, release: () => releaseLock(fd, path) };
      }
      closeSync(fd);
    }
    if (performance.now() > giveUpAt) {
      throw new NetloomError("ABORTED", `change lab ${lab}: process ${holderOf(path)} is changing it`, {
        topic: "NL-602",
        hint: "wait for that process, or end it, and try again",
      });
    }
    await sleep(lockRetryMs);
  }
}

function releaseLock(fd: number, path: string): void {
  // Remove the file while it is locked: waiting processes notice that the path has another file.
  rmSync(path, { force: true });
  try {
    rmdirSync(dirname(path));
  } catch (error) {
    if (!["ENOTEMPTY", "ENOENT"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
  } finally {
    closeSync(fd);
  }
}

function openLock(path: string): number | undefined {
  try {
    return openSync(path, "a+", 0o644);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

function isSameFile(fd: number, path: string): boolean {
  const held = fstatSync(fd, { bigint: true });
  const there = statSync(path, { bigint: true, throwIfNoEntry: false });
  return there !== undefined && there.ino === held.ino && there.dev === held.dev;
}

function holderOf(path: string): string {
  try {
    return readFileSync(path, "utf8").trim() || "(unknown)";
  } catch {
    return "(unknown)";
  }
}

/** The text of `lab.yaml` or `pending.yaml`; `undefined` if it does not exist. */
export async function readState(lab: string, file: "lab.yaml" | "pending.yaml"): Promise<string | undefined> {
  try {
    return await readFile(join(stateDirectory(lab), file), "utf8");
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
    throw error;
  }
}

/** Writes the file that is about to be applied to `pending.yaml`. */
export async function begin(lab: string, text: string): Promise<void> {
  const path = join(stateDirectory(lab), "pending.yaml");
  await writeFile(`${path}.new`, text);
  await rename(`${path}.new`, path);
}

/** Records that the file of `begin` was applied. */
export async function commit(lab: string): Promise<void> {
  await rename(join(stateDirectory(lab), "pending.yaml"), join(stateDirectory(lab), "lab.yaml"));
}

/** Records that the file of `begin` was rolled back. */
export async function rollBack(lab: string): Promise<void> {
  await rm(join(stateDirectory(lab), "pending.yaml"), { force: true });
}

/** Names of the existing namespaces with the lab's prefix. */
export async function namespacesOf(lab: string): Promise<string[]> {
  return (await namedNamespaces()).filter((name) => name.startsWith(namespacePrefix(lab))).sort();
}

/** Removes the state of the lab, except for the lock, which the caller must hold. */
export async function forget(lab: string): Promise<void> {
  const directory = stateDirectory(lab);
  unmountBelow(directory);
  const names = (await listDirectory(directory)).filter((name) => name !== "lock");
  await Promise.all(names.map((name) => rm(join(directory, name), { recursive: true, force: true })));
}

/** Leftovers of a lab that was taken down, as sentences: namespaces, mounts and state. Empty if nothing is left. */
export async function leftovers(lab: string): Promise<string[]> {
  const directory = stateDirectory(lab);
  // The caller holds the lock.
  const files = (await listDirectory(directory)).filter((name) => name !== "lock");
  return [
    ...(await namespacesOf(lab)).map((name) => `the namespace ${name} still exists`),
    ...mountsBelow(directory).map((path) => `${path} is still mounted`),
    ...files.map((name) => `the file ${join(directory, name)} still exists`),
  ];
}

/** Names of all labs with state or a namespace, sorted. */
export async function list(): Promise<string[]> {
  const named = (await namedNamespaces()).flatMap((name) => /^nl-([a-z][a-z0-9]*)-/.exec(name)?.[1] ?? []);
  return [...new Set([...(await listDirectory(labsDirectory)), ...named])].sort();
}

async function listDirectory(path: string): Promise<string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
