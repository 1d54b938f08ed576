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
  /** The other documents of the file, as plain data. */
  readonly documents: readonly unknown[];
}

/** A finding in one of the documents of a lab file: the lab itself, or one beside it. */
export interface LabFinding extends Finding {
  /** Index into `LabParts.documents`. Absent: the lab. */
  readonly document?: number;
}

/** Collects the findings about a lab. Paths begin in its spec. */
export class Findings {
  readonly list: LabFinding[] = [];

  add(path: FilePath, message: string): void {
    this.list.push({ path, message });
  }

  addAtKey(path: FilePath, message: string): void {
    this.list.push({ path, message, atKey: true });
  }

  /** A finding in the document with this index beside the lab. The path begins at the top of that document. */
  addIn(document: number, finding: Finding): void {
    this.list.push({ ...finding, document });
  }
}

/** `unknown host "alhpa"; did you mean "alpha"?` */
export function unknownName(what: string, name: string, known: Iterable<string>): string {
  const names = [...known];
  const hint =
    didYouMean(name, names) || (names.length === 0 ? "" : `; known are ${names.slice(0, 10).join(", ")}`);
  return `unknown ${what} ${quote(name)}${hint}`;
}
