/** One kind of way out for spans: a folder of this room, and one line in exporters.ts. */
import type { Log } from "../observe/log.ts";
import type { SpanExporter } from "../observe/trace.ts";

export interface ExporterKind {
  /** Of its URLs: `file` for `file:/var/log/netloom/trace.jsonl`. */
  readonly scheme: string;
  /** The form of its URLs, for `--help`: `file:PATH`. */
  readonly spelling: string;
  /** A regular expression for what follows the scheme and its colon. */
  readonly rest: string;
  /** `rest` fits the pattern above. What is lost later is said in `log`, once. */
  open(rest: string, log: Log): Promise<SpanExporter>;
}
