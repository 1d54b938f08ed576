import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import type { FileTree, ExaminedMachine } from "../../doctor/machine.ts";
import type { FilterState } from "../../linux/netlink/nftables.ts";
import type { Feature } from "../../linux/probe/feature.ts";

/** A route or rule with one of Netloom's protocol numbers. */
export interface MarkedEntry {
  /** `route 10.0.0.0/24 dev eth0` */
  readonly what: string;
  /** The command that deletes it. */
  readonly remedy: string;
}

/** The data that the checks of the command use. */
export interface DoctorHost extends ExaminedMachine {
  readonly nodeVersion: string;
  /** Features of the kernel; `undefined` without permission to probe them. */
  readonly features: readonly Feature[] | undefined;
  readonly markedEntries: readonly MarkedEntry[];
  /** Addresses of the namespace, without prefix length. */
  readonly addresses: readonly string[];
  /** `undefined` if the kernel has none, or without permission to read it. */
  readonly netfilter: FilterState | undefined;
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
