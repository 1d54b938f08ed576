/** All exporters for spans. A new one is a folder here and a line in this list. */
import { NetloomError } from "../errors/errors.ts";
import type { Log } from "../observe/log.ts";
import type { SpanExporter } from "../observe/trace.ts";
import type { ExporterKind } from "./exporter-kind.ts";
import { fileKind } from "./file/file-kind.ts";

const EXPORTERS = [fileKind] as const satisfies readonly ExporterKind[];

/** The URL forms for `--help`: `file:PATH`. */
export function exporterSpellings(): string {
  return EXPORTERS.map(({ spelling }) => spelling).join(", or ");
}

/** Opens the exporter of a URL. INVALID_ARGUMENT for `attempt` if no kind has this form, else the errors of its kind. */
export async function openExporter(url: string, attempt: string, log: Log): Promise<SpanExporter> {
  const [scheme = ""] = url.split(":", 1);
  const rest = url.slice(scheme.length + 1);
  const kind = EXPORTERS.find((each) => each.scheme === scheme);
  if (kind && new RegExp(`^(?:${kind.rest})$`).test(rest)) return await kind.open(rest, log);
  throw new NetloomError(
    "INVALID_ARGUMENT",
    `${attempt} ${JSON.stringify(url)}: there is no such way out for traces`,
    { hint: `use ${exporterSpellings()}` },
  );
}
