/**
 * What a kind of document has: a folder here with its words, which are quick to load, and all the rest; and a line in
 * kinds.ts. The agent, its admin service, the command line, labs and the generated documents ask that list.
 */
import type { z } from "zod";
import type { Attached } from "../attachments/attached.ts";
import type { AttachmentLife, Tools } from "../attachments/kind.ts";
import type { Document, Wish } from "../attachments/wish.ts";
import type { Side } from "../mechanisms/side.ts";
import type { Finding } from "../text/problem.ts";
import type { KindCommand } from "./command.ts";

/** Of one kind, what it takes to read its documents, and to do what they ask. `D` is what it writes, `W` what that means. */
export interface DocumentKind<D extends Document = Document, W extends Wish = Wish> {
  readonly schema: z.ZodType<D>;
  /** What is wrong with a document of the right shape, all of it. */
  check(document: D): readonly Finding[];
  /** What a document that has been checked means. */
  mean(document: D): W;
  /** Begins to work for it. */
  control(wish: W, tools: Tools, life: AttachmentLife): Attached;
  /** Why it cannot stand beside the others, as a finding in its document. Default: it can. */
  contradicts?(wish: W, others: readonly Wish[]): Finding | undefined;
}

/** What people call it. */
export interface KindWords {
  /** Group and version: `netloom.dev/v1alpha1`. */
  readonly apiVersion: string;
  /** As documents have it: `NetworkService`. */
  readonly kind: string;
  /** As the command line takes it beside: lower case, singular first, plural and short forms. */
  readonly names: readonly [string, ...string[]];
  /** The end of wires that its workload is, as of `Kind`. */
  readonly end?: Side;
  /** What a file holds of it: `network services`. */
  readonly inFile: string;
  /** What status counts of it: `offered`. Absent: it is not counted. */
  readonly counted?: string;
  /** The command that writes one. Absent: it is written in files only. */
  readonly command?: KindCommand;
  /** The rest takes longer to load. */
  load(): Promise<DocumentKind>;
}
