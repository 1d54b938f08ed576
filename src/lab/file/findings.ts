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
  readonly wires: readonly WireDocument[];
  /** Hosts with a registry. Empty if the file names none. */
  readonly registries: readonly string[];
  /** URL of the registry's store. */
  readonly store: string | undefined;
  readonly agents: boolean | readonly string[];
  readonly hostWorkloads: boolean;
  /** The documents for agents. */
  readonly documents: readonly LabDocument[];
}

/** A document beside the lab, as plain data. */
interface LabDocument {
  /** Index among all documents beside the lab. */
  readonly index: number;
  readonly data: unknown;
}

/** A Wire beside the lab. */
export interface WireDocument {
  /** Index among all documents beside the lab. */
  readonly index: number;
  readonly name: string;
  /** Absent: its shape is wrong. */
  readonly spec?: WirePart;
}

/** A finding in a document of a lab file: in the lab, or in a document beside it. */
export interface LabFinding extends Finding {
  /** Index among all documents beside the lab. Absent: the lab. */
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

  has(document: number): boolean {
    return this.list.some((each) => each.document === document);
  }
}

/** The findings of one document beside the lab. Paths begin in its spec. */
export class DocumentFindings {
  readonly #all: Findings;
  readonly #document: number;

  constructor(all: Findings, document: number) {
    this.#all = all;
    this.#document = document;
  }

  add(path: FilePath, message: string): void {
    this.#all.addIn(this.#document, { path: ["spec", ...path], message });
  }
}

/** `unknown host "alhpa"; did you mean "alpha"?` */
export function unknownName(what: string, name: string, known: Iterable<string>): string {
  const names = [...known];
  const hint =
    didYouMean(name, names) || (names.length === 0 ? "" : `; known are ${names.slice(0, 10).join(", ")}`);
  return `unknown ${what} ${quote(name)}${hint}`;
}
