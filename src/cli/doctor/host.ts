import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";

/** Files below a root directory: `/`, or a directory of a test. What cannot be read counts as absent. */
export interface FileTree {
  /** Content of the file `path` (without a leading slash). */
  read(path: string): string | undefined;
  /** Names in the directory `path`, sorted; empty if there is no such directory. */
  list(path: string): readonly string[];
  /** Where the symbolic link `path` points to. */
  target(path: string): string | undefined;
}

/** A device of the namespace that netloom runs in, ours or not. */
export interface Device {
  readonly name: string;
  /** IFLA_INFO_KIND; `undefined` for hardware and `lo`. */
  readonly kind?: string;
  /** IFLA_GROUP. */
  readonly group: number;
  readonly vxlan?: { readonly vni: number; readonly port: number };
}

/** A route or a rule that carries one of our protocol numbers. */
export interface MarkedEntry {
  /** `route 10.0.0.0/24 dev eth0` */
  readonly what: string;
  /** The command that deletes it. */
  readonly remedy: string;
}

/** One feature of the kernel, as `src/linux/probe.ts` found it. */
export interface Feature {
  readonly name: string;
  readonly supported: boolean;
  /** Without it netloom cannot do its work here; otherwise a mode degrades. */
  readonly required: boolean;
  /** First kernel that has it: `6.6`. */
  readonly since: string;
  /** What does not work, or works another way, without it. */
  readonly effect: string;
  readonly remedy: string;
}

/** Everything that the checks may look at. */
export interface Host extends FileTree {
  readonly nodeVersion: string;
  readonly features: readonly Feature[];
  /** How wires are made on this kernel: `remote wires: veth + vxlan, joined by tcx`. */
  readonly modes: readonly string[];
  readonly devices: readonly Device[];
  readonly markedEntries: readonly MarkedEntry[];
}

/** The files of this machine, or those below `root`. */
export function openFileTree(root = "/"): FileTree {
  return {
    read: (path) => orUndefined(() => readFileSync(join(root, path), "utf8")),
    list: (path) => orUndefined(() => readdirSync(join(root, path)).sort()) ?? [],
    target: (path) => orUndefined(() => readlinkSync(join(root, path))),
  };
}

function orUndefined<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
