import type { FilePath } from "../../text/problem.ts";
import type { WirePart } from "./schema.ts";

/** A wire between reading the file and building the model. */
export interface Draft {
  readonly part: WirePart;
  readonly path: FilePath;
  readonly client: DraftEnd;
  readonly endpoint: DraftEnd;
}

/** One side of the wire. The interface is empty until it is named. */
export interface DraftEnd {
  readonly host: string;
  readonly workload: string;
  interface: string;
}
