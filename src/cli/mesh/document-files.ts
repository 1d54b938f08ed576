/** Files with attachments, as `-f` names them. */
import { readFile } from "node:fs/promises";
import { buffer } from "node:stream/consumers";
import { decodeText } from "../../text/decode-text.ts";
import { NetloomError } from "../../errors/errors.ts";

export interface DocumentFile {
  /** For messages. */
  readonly name: string;
  readonly text: string;
}

/** An agent takes a message of 4 MiB, with what is around the text. */
const MAX_BYTES = 4_000_000;

/** `-` is the standard input. NL-101 for what cannot be read, NL-102 for what is too large. */
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
