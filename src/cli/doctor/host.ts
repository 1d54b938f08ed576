import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import type { FileTree, ExaminedMachine } from "../../doctor/machine.ts";
import type { FilterState } from "../../linux/netlink/nftables.ts";
import type { Feature } from "../../linux/probe/feature.ts";

/** A route or a rule that carries one of our protocol numbers. */
export interface MarkedEntry {
  /** `route 10.0.0.0/24 dev eth0` */
  readonly what: string;
  /** The command that deletes it. */
  readonly remedy: string;
}

/** Everything that the checks of the command may look at. */
export interface DoctorHost extends ExaminedMachine {
  readonly nodeVersion: string;
  /** What the kernel can do; `undefined` if we may not ask it. */
  readonly features: readonly Feature[] | undefined;
  readonly markedEntries: readonly MarkedEntry[];
  /** Of the namespace, without prefix length. */
  readonly addresses: readonly string[];
  /** `undefined` where there is none, or we may not ask. */
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
