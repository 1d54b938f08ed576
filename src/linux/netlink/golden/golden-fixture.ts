/** The captured messages beside this file. An entry is a line `@title: command`, then lines of hexadecimal bytes. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

export interface Golden {
  readonly command: string;
  readonly bytes: Uint8Array;
}

export function readGoldens(file: "requests.txt" | "answers.txt"): ReadonlyMap<string, Golden> {
  const entries = readFileSync(new URL(file, import.meta.url), "utf8")
    .split("\n@")
    .slice(1);
  return new Map(
    entries.map((entry) => {
      const [head = "", ...lines] = entry.split("\n");
      const [title = "", command = ""] = head.split(/: (.*)/s);
      return [title, { command, bytes: Uint8Array.from(Buffer.from(lines.join(""), "hex")) }];
    }),
  );
}

/** A copy of the bytes, and the command. */
export function bytesOf(goldens: ReadonlyMap<string, Golden>, title: string): Golden {
  const found = goldens.get(title);
  assert(found, `no golden message ${title}`);
  return { command: found.command, bytes: found.bytes.slice() };
}
