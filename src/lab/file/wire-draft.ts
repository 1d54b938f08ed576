import type { DocumentFindings } from "./findings.ts";
import type { WirePart } from "./schema.ts";

/** A wire between reading the file and building the model. */
export interface Draft {
  /** Index and name of the document. */
  readonly index: number;
  readonly name: string;
  readonly part: WirePart;
  readonly findings: DocumentFindings;
  readonly client: DraftEnd;
  readonly endpoint: DraftEnd;
}

/** One side of the wire. The interface is empty until it is named. */
export interface DraftEnd {
  readonly host: string;
  readonly workload: string;
  interface: string;
}
