/**
 * Files that can prove that they are complete. One line, then the content:
 *
 *   netloom wish 1 412 9f86d081884c7d65\n<412 bytes>
 *           │    │  │   └ hash64 of the content
 *           │    │  └ length of the content in bytes
 *           │    └ format version
 *           └ kind of file
 */
import { hashBytes64 } from "./hash.ts";

const HEAD = /^netloom ([a-z-]+) (\d+) (\d+) ([0-9a-f]{16})$/;
const MAX_HEAD_BYTES = 128;
const LINE_FEED = 10;

export interface SealKind {
  /** The kind of file, in lower-case letters and hyphens. */
  readonly what: string;
  /** The version that is written. */
  readonly version: number;
  /** Older versions that are read as well. Default: none. */
  readonly formerVersions?: readonly number[];
}

export type Unsealed =
  | { readonly ok: true; readonly content: Uint8Array }
  /** `isNewer`: a later netloom has written the file. */
  | { readonly ok: false; readonly problem: string; readonly isNewer?: true };

/** Returns `content` behind a head line. */
export function seal({ what, version }: SealKind, content: Uint8Array): Uint8Array {
  const head = new TextEncoder().encode(`netloom ${what} ${version} ${content.length} ${digest(content)}\n`);
  const sealed = new Uint8Array(head.length + content.length);
  sealed.set(head);
  sealed.set(content, head.length);
  return sealed;
}

/** Returns the complete content, or a description of the damage. */
export function unseal({ what, version, formerVersions = [] }: SealKind, sealed: Uint8Array): Unsealed {
  if (sealed.length === 0) return damaged("it is empty");
  const end = sealed.subarray(0, MAX_HEAD_BYTES).indexOf(LINE_FEED);
  const head = HEAD.exec(new TextDecoder().decode(sealed.subarray(0, Math.max(0, end))));
  if (!head) return damaged("its first line is not the one that netloom writes");
  if (head[1] !== what) return damaged(`it is netloom's ${head[1]}, not its ${what}`);
  const found = Number(head[2]);
  if (found !== version && !formerVersions.includes(found)) {
    const problem = `it has version ${found}, and this netloom reads version ${version}`;
    return { ok: false, problem, ...(found > version && { isNewer: true }) };
  }
  const content = sealed.subarray(end + 1);
  if (content.length !== Number(head[3]))
    return damaged(`${content.length} of ${head[3]} bytes are there after its first line`);
  if (digest(content) !== head[4]) return damaged("its checksum does not agree: bytes in it have changed");
  return { ok: true, content };
}

function damaged(problem: string): Unsealed {
  return { ok: false, problem };
}

function digest(content: Uint8Array): string {
  return hashBytes64(content).toString(16).padStart(16, "0");
}
