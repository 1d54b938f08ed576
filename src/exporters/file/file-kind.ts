import type { ExporterKind } from "../exporter-kind.ts";

/** Lines of JSON in a file, one for each span. */
export const fileKind: Readonly<ExporterKind> = {
  scheme: "file",
  spelling: "file:PATH",
  rest: ".+",
  open: async (path, log) => {
    const { openFileExporter } = await import("./file-exporter.ts");
    return await openFileExporter(path, log);
  },
};
