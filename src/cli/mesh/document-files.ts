/** Files with attachments, as `-f` names them. */
import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { NetloomError } from "../../world/errors.ts";

export interface DocumentFile {
  /** For messages. */
  readonly name: string;
  readonly text: string;
}

/** `-` is the standard input. NL-101 for what cannot be read. */
export async function readDocumentFiles(names: readonly string[]): Promise<DocumentFile[]> {
  return await Promise.all(names.map(readDocumentFile));
}

async function readDocumentFile(name: string): Promise<DocumentFile> {
  if (name === "-") return { name: "standard input", text: await text(process.stdin) };
  try {
    return { name, text: await readFile(name, "utf8") };
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
