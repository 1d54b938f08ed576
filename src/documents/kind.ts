/**
 * The parts of a kind of document. A kind is a folder here, with its words, which load quickly, and the rest; and a line
 * in kinds.ts. The agent, its admin service, the command line, labs and the generated documents use that list.
 */
import type { z } from "zod";
import type { AttachmentController } from "../attachments/attachment-controller.ts";
import type { AttachmentLife, Tools } from "../attachments/kind.ts";
import type { Document, Spec } from "../attachments/spec.ts";
import type { Side } from "../mechanisms/side.ts";
import type { Finding } from "../text/problem.ts";
import type { KindCommand } from "./command.ts";

/** Reads the documents of one kind and works for them. `D` is the document as written, `W` the spec it means. */
export interface DocumentKind<D extends Document = Document, W extends Spec = Spec> {
  readonly schema: z.ZodType<D>;
  /** All problems of a document that has the right shape. */
  check(document: D): readonly Finding[];
  /** The spec of a checked document. */
  mean(document: D): W;
  /** Makes the controller of a spec. */
  control(spec: W, tools: Tools, life: AttachmentLife): AttachmentController;
  /** The reason why the spec contradicts the others, as a finding in its document. Absent: it never does. */
  contradicts?(spec: W, others: readonly Spec[]): Finding | undefined;
}

/** The words for a kind in documents, commands and output. */
export interface KindWords {
  /** Group and version: `netloom.dev/v1alpha1`. */
  readonly apiVersion: string;
  /** The kind as documents write it: `NetworkService`. */
  readonly kind: string;
  /** Other names that the command line takes: lower case, singular first, plural and short forms. */
  readonly names: readonly [string, ...string[]];
  /** The end of its wires at which the workload stands, as in `Kind`. */
  readonly end?: Side;
  /** The name of several documents of the kind: `services`. */
  readonly inFile: string;
  /** The word for its count in the status: `offered`. Absent: the kind is not counted. */
  readonly counted?: string;
  /** The command that writes a document of the kind. Absent: such documents come from files only. */
  readonly command?: KindCommand;
  /** Loads the rest of the kind, which takes longer. */
  load(): Promise<DocumentKind>;
}
