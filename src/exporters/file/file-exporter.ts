/** Writes spans as lines of JSON, for `jq` and for reading. */
import { createWriteStream, type WriteStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { once } from "node:events";
import { dirname } from "node:path";
import { NetloomError } from "../../errors/errors.ts";
import type { Log } from "../../observe/log.ts";
import type { FinishedSpan, SpanExporter } from "../../observe/trace.ts";

/** Most bytes that may wait for the disk; spans beyond that are lost. */
const MAX_WAITING_BYTES = 16 * 2 ** 20;

/**
 * Appends to the file at `path`, and creates it with its folder if it is missing; only its user may read it. A disk that is slow
 * or full loses spans and blocks nobody; the first loss is logged to `log`. FAILED_PRECONDITION if the file cannot be opened.
 */
export async function openFileExporter(path: string, log: Log): Promise<SpanExporter> {
  let stream: WriteStream;
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    stream = createWriteStream(path, { flags: "a", mode: 0o600 });
    await once(stream, "open");
  } catch (error) {
    throw new NetloomError("FAILED_PRECONDITION", `open ${path} for traces: ${(error as Error).message}`, {
      cause: error,
      hint: "name a file in a folder that this user may write to",
    });
  }
  let isLosing = false;
  const lose = (reason: string): void => {
    if (!isLosing) log.warn("spans of traces are lost", { file: path, reason });
    isLosing = true;
  };
  stream.on("error", (error) => lose(error.message));
  return {
    export: (span) => {
      if (stream.destroyed) return lose("the file is closed");
      if (stream.writableLength > MAX_WAITING_BYTES) return lose("the disk is too slow");
      stream.write(`${JSON.stringify(asLine(span))}\n`);
    },
    close: async () => {
      if (stream.destroyed) return;
      const closed = once(stream, "close");
      stream.end();
      await closed;
    },
  };
}

/** A span with its start time first, in readable form. */
function asLine({ startedAtMs, ...span }: FinishedSpan): Readonly<Record<string, unknown>> {
  return { startedAt: new Date(startedAtMs).toISOString(), ...span };
}
