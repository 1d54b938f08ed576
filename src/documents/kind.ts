/**
 * The parts of a kind of document. A kind is a folder here, with its words, which load quickly, and the rest; and a line
 * in kinds.ts. The agent, its admin service, the command line, labs and the generated documents use that list.
 */
import type { z } from "zod";
import type { AttachmentController } from "../attachments/attachment-controller.ts";
import type { AttachmentLife, Tools } from "../attachments/kind.ts";
import type { Document, Wish } from "../attachments/wish.ts";
import type { Side } from "../mechanisms/side.ts";
import type { Finding } from "../text/problem.ts";
import type { KindCommand } from "./command.ts";

/** Reads the documents of one kind and works for them. `D` is the document as written, `W` the wish it means. */
export interface DocumentKind<D extends Document = Document, W extends Wish = Wish> {
  readonly schema: z.ZodType<D>;
  /** All problems of a document that has the right shape. */
  check(document: D): readonly Finding[];
  /** The wish of a checked document. */
  mean(document: D): W;
  /** Makes the controller of a wish. */
  control(wish: W, tools: Tools, life: AttachmentLife): AttachmentController;
  /** The reason why the wish contradicts the others, as a finding in its document. Absent: it never does. */
  contradicts?(wish: W, others: readonly Wish[]): Finding | undefined;
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
