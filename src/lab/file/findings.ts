/** What the checks of a lab file share: the parts they look at, and the list of what is wrong. */
import { didYouMean, type FilePath, type Finding, quote } from "../../text/problem.ts";
import type { LinkPart, WirePart } from "./schema.ts";

export interface HostParts {
  readonly workloads: readonly string[];
  /** With the addresses of the machine behind each. */
  readonly ports: Readonly<Record<string, readonly string[]>>;
}

/** A lab file whose parts have the right shape; `undefined` in the place of one that has not. */
export interface LabParts {
  /** Nothing is missing here that the file speaks of. */
  readonly isWhole: boolean;
  readonly name: string;
  readonly hosts: ReadonlyMap<string, HostParts | undefined>;
  readonly routers: readonly string[];
  readonly links: readonly (LinkPart | undefined)[];
  readonly wires: readonly (WirePart | undefined)[];
  /** Hosts. Empty: the file does not say. */
  readonly registries: readonly string[];
  /** URL. */
  readonly store: string | undefined;
  readonly agents: boolean | readonly string[];
  readonly hostWorkloads: boolean;
  readonly attachments: readonly Readonly<Record<string, unknown>>[];
}

/** Collects what is wrong. */
export class Findings {
  readonly list: Finding[] = [];

  add(path: FilePath, message: string): void {
    this.list.push({ path, message });
  }

  addAtKey(path: FilePath, message: string): void {
    this.list.push({ path, message, atKey: true });
  }
}

/** `unknown host "alhpa"; did you mean "alpha"?` */
export function unknownName(what: string, name: string, known: Iterable<string>): string {
  const names = [...known];
  const hint =
    didYouMean(name, names) || (names.length === 0 ? "" : `; known are ${names.slice(0, 10).join(", ")}`);
  return `unknown ${what} ${quote(name)}${hint}`;
}
