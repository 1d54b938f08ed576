import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeText } from "./decode-text.ts";
import { FileError, type Problem } from "./problem.ts";

function refusal(bytes: Uint8Array): Problem {
  try {
    decodeText(bytes, "x.yaml");
  } catch (error) {
    assert.ok(error instanceof FileError && error.problems[0]);
    return error.problems[0];
  }
  return assert.fail("it was accepted");
}

test("UTF-8 text decodes to itself", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", minLength: 1 }), (text) => {
      // Text that begins with a byte order mark, or holds NUL, may look like UTF-16.
      fc.pre(!text.includes("\0") && !text.startsWith("\ufeff"));
      assert.equal(decodeText(Buffer.from(text), "x.yaml"), text);
    }),
  );
});

test("invalid UTF-8 is refused at the first byte that begins no character", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), fc.uint8Array({ minLength: 1 }), (text, noise) => {
      const bytes = Buffer.concat([Buffer.from(text.replaceAll("\0", "")), noise.filter((byte) => byte > 0)]);
      const isText = Buffer.from(bytes.toString()).equals(bytes);
      if (isText || (bytes[0] ?? 0) >= 0xfe) return;
      const { line, column, message } = refusal(bytes);
      const bad = Number(/number ([0-9]+) of the file/.exec(message)?.[1]) - 1;
      assert.ok(message.includes(`0x${bytes[bad]?.toString(16)}`), message);
      const before = bytes.subarray(0, bad);
      assert.ok(Buffer.from(before.toString()).equals(before), "what is before it is text");
      for (let length = 1; length <= 4; length++) {
        const next = bytes.subarray(bad, bad + length);
        assert.ok(!Buffer.from(next.toString()).equals(next), "it begins no character");
      }
      const lines = before.toString().split("\n");
      assert.deepEqual([line, column], [lines.length, (lines.at(-1)?.length ?? 0) + 1]);
    }),
    { numRuns: 500 },
  );
});

test("a label in Latin-1 is refused with its line and byte", () => {
  const before = 'kind: NetworkServiceClient\nmetadata: { labels: { site: "Mü-M';
  const bytes = Buffer.concat([Buffer.from(before), Buffer.from('ünchen" } }\n', "latin1")]);
  const { line, column, message } = refusal(bytes);
  assert.deepEqual([line, column], [2, 34]);
  assert.match(
    message,
    /^the byte 0xfc \(number 62 of the file\) is not UTF-8; .*iconv -f LATIN1 -t UTF-8 x\.yaml$/,
  );
});

const DOCUMENT = "kind: NetworkServiceClient\n";

for (const [what, bytes] of [
  ["UTF-16", Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(DOCUMENT, "utf16le")])],
  ["UTF-16LE", Buffer.from(DOCUMENT, "utf16le")],
  ["UTF-16BE", Buffer.from(DOCUMENT, "utf16le").swap16()],
  ["UTF-16", Buffer.concat([Buffer.from([0xfe, 0xff]), Buffer.from("a: ü\n", "utf16le").swap16()])],
] as const) {
  test(`${what} beginning with ${bytes[0]} is refused in one sentence that has the command to convert it`, () => {
    const { message } = refusal(bytes);
    assert.equal(message, `the file is ${what}, and YAML is read as UTF-8: iconv -f ${what} -t UTF-8 x.yaml`);
  });
}
