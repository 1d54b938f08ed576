/** One kind of exporter for spans: a folder of this room, and one line in exporters.ts. */
import type { Log } from "../observe/log.ts";
import type { SpanExporter } from "../observe/trace.ts";

export interface ExporterKind {
  /** The scheme of its URLs: `file` for `file:/var/log/netloom/trace.jsonl`. */
  readonly scheme: string;
  /** The form of its URLs, for `--help`: `file:PATH`. */
  readonly spelling: string;
  /** A regular expression for the part after the scheme and its colon. */
  readonly rest: string;
  /** Opens the exporter; `rest` matches the pattern above. A later loss of spans is logged to `log`, once. */
  open(rest: string, log: Log): Promise<SpanExporter>;
}
