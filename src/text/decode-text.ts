/** Decodes the bytes of a file as strict UTF-8. */
import { FileError, type Problem } from "./problem.ts";

/** Throws INVALID_ARGUMENT with line, column and byte of the first invalid UTF-8, and a hint how to convert the file. */
export function decodeText(bytes: Uint8Array, file: string): string {
  const at = (line: number, column: number, message: string): never => {
    const problem: Problem = { file, line, column, path: "", message };
    throw new FileError([problem], "convert the file to UTF-8, or save it as UTF-8 in your editor");
  };
  const utf16 = utf16Of(bytes);
  if (utf16 !== undefined)
    return at(1, 1, `the file is ${utf16}, and YAML is read as UTF-8: iconv -f ${utf16} -t UTF-8 ${file}`);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    const bad = firstBadByte(bytes);
    const before = bytes.subarray(0, bad);
    const lineStart = before.lastIndexOf(0x0a) + 1;
    const line = before.reduce((count, byte) => count + (byte === 0x0a ? 1 : 0), 1);
    const column = new TextDecoder().decode(before.subarray(lineStart)).length + 1;
    const byte = (bytes[bad] ?? 0).toString(16).padStart(2, "0");
    const hint = "is the file Latin-1? iconv -f LATIN1 -t UTF-8";
    return at(
      line,
      column,
      `the byte 0x${byte} (number ${bad + 1} of the file) is not UTF-8; ${hint} ${file}`,
    );
  }
}

/** Detects UTF-16 by its byte order mark, or by zeros in every other one of the first 16 bytes. */
function utf16Of(bytes: Uint8Array): "UTF-16" | "UTF-16LE" | "UTF-16BE" | undefined {
  const [first, second] = bytes;
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) return "UTF-16";
  if (bytes.length < 4) return undefined;
  const zeros = (parity: number): boolean =>
    bytes.subarray(0, 16).every((byte, i) => (byte === 0) === (i % 2 === parity));
  if (zeros(1)) return "UTF-16LE";
  return zeros(0) ? "UTF-16BE" : undefined;
}

/** Index of the first byte that begins no character (RFC 3629 section 4). TextDecoder does not report the position. */
function firstBadByte(bytes: Uint8Array): number {
  let i = 0;
  while (i < bytes.length) {
    const length = characterLength(bytes, i);
    if (length === 0) return i;
    i += length;
  }
  return i - 1;
}

/** The length in bytes of the character at `i`; 0 if the bytes are invalid. */
function characterLength(bytes: Uint8Array, i: number): number {
  const [first = 0, second = 0] = bytes.subarray(i, i + 2);
  if (first < 0x80) return 1;
  const length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  // The second byte excludes overlong forms, surrogates, and code points above U+10FFFF.
  const least = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const most = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  const rest = bytes.subarray(i + 1, i + length);
  const isWhole = rest.length === length - 1 && second >= least && second <= most;
  return isWhole && rest.every((byte) => (byte & 0xc0) === 0x80) ? length : 0;
}
