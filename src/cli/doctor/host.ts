import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import type { Feature } from "../../linux/probe.ts";

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
  readonly isUp?: boolean;
  readonly vxlan?: { readonly vni: number; readonly port: number; readonly hasOwnSocket?: true };
}

/** A route or a rule that carries one of our protocol numbers. */
export interface MarkedEntry {
  /** `route 10.0.0.0/24 dev eth0` */
  readonly what: string;
  /** The command that deletes it. */
  readonly remedy: string;
}

/** Everything that the checks may look at. */
export interface Host extends FileTree {
  readonly nodeVersion: string;
  /** What the kernel can do; `undefined` if we may not ask it. */
  readonly features: readonly Feature[] | undefined;
  readonly devices: readonly Device[];
  /** UDP port that is asked about, for an agent to come. Default: that of the agent that runs here, or 4789. */
  readonly vxlanPort?: number;
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
