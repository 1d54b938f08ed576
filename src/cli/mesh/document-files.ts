/** Files with documents, from the `-f` option. */
import { readFile } from "node:fs/promises";
import { buffer } from "node:stream/consumers";
import { decodeText } from "../../text/decode-text.ts";
import { NetloomError } from "../../errors/errors.ts";

export interface DocumentFile {
  /** Name for messages. */
  readonly name: string;
  readonly text: string;
}

/** The agent accepts messages of 4 MiB; this leaves room for the fields around the text. */
const MAX_BYTES = 4_000_000;

/** Reads files; `-` is the standard input. NL-101 for a file that cannot be read, NL-102 for one that is too large. */
export async function readDocumentFiles(names: readonly string[]): Promise<DocumentFile[]> {
  return await Promise.all(names.map(readDocumentFile));
}

async function readDocumentFile(name: string): Promise<DocumentFile> {
  const file = name === "-" ? "standard input" : name;
  const bytes = name === "-" ? await buffer(process.stdin) : await read(name);
  if (bytes.length <= MAX_BYTES) return { name: file, text: decodeText(bytes, file) };
  throw new NetloomError("INVALID_ARGUMENT", `read ${file}: it is larger than 4 MB`, {
    topic: "NL-102",
    hint: "cut it into several files",
  });
}

async function read(name: string): Promise<Buffer> {
  try {
    return await readFile(name);
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    throw new NetloomError("NOT_FOUND", `read ${name}: ${reasons[code] ?? String(error)}`, {
      topic: "NL-101",
      hint: "name a YAML file with attachments, or - for the standard input",
      cause: error,
    });
  }
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EACCES: "not permitted",
  EISDIR: "it is a directory",
};
