/** The kinds of documents, as an agent uses them. The agent gets the list and does not name any kind. */
import type { Connection } from "../api/gen/nsm/connection_pb.js";
import type { Semaphore } from "../async/semaphore.ts";
import type { Answers } from "../elements/wires/onward.ts";
import type { Side } from "../mechanisms/side.ts";
import type { Finding, Problem } from "../text/problem.ts";
import type { AttachmentController } from "./attachment-controller.ts";
import type { Interfaces } from "./clashes.ts";
import type { Clients } from "./clients.ts";
import type { AgentParts } from "./parts.ts";
import type { ProgressView } from "./progress.ts";
import type { ReadResult, Ref, Spec } from "./spec.ts";
import type { Workloads } from "./workloads.ts";

/** The tools that all controllers of an agent share. */
export interface Tools {
  readonly parts: AgentParts;
  readonly workloads: Workloads;
  readonly clients: Clients;
  readonly interfaces: Interfaces;
  /** The last answers to requests, by wire, also those from before a restart. */
  readonly answers: Answers;
  /** Limits the number of concurrent requests. */
  readonly turnstile: Semaphore;
  /** Whether this agent has the attachment. */
  readonly has: (ref: Ref) => boolean;
  /** The attachment that will request this wire with an interface of this name. */
  readonly wantedBy: (wireId: string, interfaceName: string) => Ref | undefined;
}

/** The state that a controller gets for its one attachment. */
export interface AttachmentLife {
  /** Id of the wire, for a kind that requests one. Empty for other kinds. */
  readonly connectionId: string;
  /** The last answer to the request, also from before a restart. */
  readonly answer: Connection | undefined;
  readonly onChange: (view: ProgressView) => void;
}

export interface Kind {
  /** The kind as documents write it: `NetworkServiceClient`. */
  readonly kind: string;
  /**
   * The end of its wires at which the workload stands. Absent: it has no wires, or stands between two. At the client's end it
   * requests one wire, whose id never changes, and starts after the kinds that request none.
   */
  readonly end?: Side;
  /** Makes the controller of a spec of this kind. */
  control(spec: Spec, tools: Tools, life: AttachmentLife): AttachmentController;
  /** The reason why the spec contradicts the others, as a finding in its document. Absent: it never does. */
  contradicts?(spec: Spec, others: readonly Spec[]): Finding | undefined;
}

/** A spec that contradicts others. */
export interface Contradiction {
  /** Index of the spec in the list. */
  readonly index: number;
  readonly finding: Finding;
}

export type ParsedDocuments =
  | { readonly ok: true; readonly specs: readonly Spec[] }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** The kinds of documents, and how they are read. */
export interface Kinds {
  readonly all: readonly Kind[];
  /** The kind of a spec. */
  of(spec: Spec): Kind;
  /** The specs that contradict others, on any hosts. Clashes of device names are found by src/attachments/clashes.ts. */
  contradictions(specs: readonly Spec[]): Contradiction[];
  /** Reads one document as data. Never throws. */
  read(data: unknown): ReadResult;
  /** Reads one document as data, of this version or of release 0.1.0, as an agent keeps it on the disk. Never throws. */
  readKept(data: unknown): ReadResult;
  /** Reads any number of documents. Reports all problems at once, in the order of the file, and never throws. */
  parse(text: string, file: string): ParsedDocuments;
  /** Reads any number of documents, and throws a `FileError` for an invalid file. */
  mustParse(text: string, file: string): readonly Spec[];
}
