/** The data that the checks of a lab file share: the parts of the file, and the list of findings. */
import { didYouMean, type FilePath, type Finding, quote } from "../../text/problem.ts";
import type { LinkPart, WirePart } from "./schema.ts";

export interface HostParts {
  readonly workloads: readonly string[];
  /** Ports by name, with the addresses of the machine behind each. */
  readonly ports: Readonly<Record<string, readonly string[]>>;
}

/** The parts of a lab file. A part with a wrong shape is `undefined`. */
export interface LabParts {
  /** Whether all parts of the file are here. */
  readonly isWhole: boolean;
  readonly name: string;
  readonly hosts: ReadonlyMap<string, HostParts | undefined>;
  readonly routers: readonly string[];
  readonly links: readonly (LinkPart | undefined)[];
  readonly wires: readonly (WirePart | undefined)[];
  /** Hosts with a registry. Empty if the file names none. */
  readonly registries: readonly string[];
  /** URL of the registry's store. */
  readonly store: string | undefined;
  readonly agents: boolean | readonly string[];
  readonly hostWorkloads: boolean;
  /** The other documents of the file, as plain data. */
  readonly documents: readonly unknown[];
}

/** A finding in a document of a lab file: in the lab, or in a document beside it. */
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
