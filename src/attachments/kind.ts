/** The kinds of documents, as far as an agent has to do with them. The list is handed to it: it names none. */
import type { Connection } from "../api/gen/nsm/connection_pb.js";
import type { Semaphore } from "../async/semaphore.ts";
import type { Answers } from "../elements/wires/onward.ts";
import type { Side } from "../mechanisms/side.ts";
import type { Finding, Problem } from "../text/problem.ts";
import type { Attached } from "./attached.ts";
import type { Interfaces } from "./clashes.ts";
import type { Clients } from "./clients.ts";
import type { AgentParts } from "./parts.ts";
import type { ProgressView } from "./progress.ts";
import type { ReadResult, Ref, Wish } from "./wish.ts";
import type { Workloads } from "./workloads.ts";

/** What the controllers of an agent share. */
export interface Tools {
  readonly parts: AgentParts;
  readonly workloads: Workloads;
  readonly clients: Clients;
  readonly interfaces: Interfaces;
  /** The last answers to requests, in this life and earlier ones, by wire. */
  readonly answers: Answers;
  /** As many requests as it lets pass are under way. */
  readonly turnstile: Semaphore;
  /** Has this agent that attachment? */
  readonly has: (ref: Ref) => boolean;
  /** The attachment that will ask for this wire with an interface of this name. */
  readonly wantedBy: (wireId: string, interfaceName: string) => Ref | undefined;
}

/** What a controller has for its one attachment. */
export interface AttachmentLife {
  /** Of a kind that asks: the id of its wire. Empty for others. */
  readonly connectionId: string;
  /** The last answer to it, in this life or an earlier one. */
  readonly answer: Connection | undefined;
  readonly onChange: (view: ProgressView) => void;
}

export interface Kind {
  /** As documents have it: `NetworkServiceClient`. */
  readonly kind: string;
  /**
   * The end of wires that its workload is; absent: it has none, or stands between two. At the client's end it asks for one wire,
   * under an id that it keeps for ever, and begins after those that do not ask.
   */
  readonly end?: Side;
  /** Begins to work for a wish of this kind. */
  control(wish: Wish, tools: Tools, life: AttachmentLife): Attached;
  /** Why it cannot stand beside the others, as a finding in its document. Default: it can. */
  contradicts?(wish: Wish, others: readonly Wish[]): Finding | undefined;
}

/** A wish that contradicts others. */
export interface Contradiction {
  /** Which of the wishes it is. */
  readonly index: number;
  readonly finding: Finding;
}

export type ParsedDocuments =
  | { readonly ok: true; readonly wishes: readonly Wish[] }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** The kinds of documents, and how they are read. */
export interface Kinds {
  readonly all: readonly Kind[];
  /** The kind of a wish that was read. */
  of(wish: Wish): Kind;
  /** Those that cannot stand beside the others, whatever hosts they are of. Names of devices are looked at elsewhere. */
  contradictions(wishes: readonly Wish[]): Contradiction[];
  /** Reads one document as data. Never throws. */
  read(data: unknown): ReadResult;
  /** Reads one document as data, as an agent keeps it: this one, or one of release 0.1.0. Never throws. */
  readKept(data: unknown): ReadResult;
  /** Reads any number of documents. Reports all problems at once, in the order of the file, and never throws. */
  parse(text: string, file: string): ParsedDocuments;
  /** Likewise, for those who can do nothing with a wrong file. Throws a `FileError`. */
  mustParse(text: string, file: string): readonly Wish[];
}
