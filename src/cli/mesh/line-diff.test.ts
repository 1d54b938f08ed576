import assert from "node:assert/strict";
import { test } from "node:test";
import { diffLines } from "./line-diff.ts";

const show = (before: string, after: string): string =>
  diffLines(before.split(""), after.split(""))
    .map(({ mark, text }) => `${mark}${text}`)
    .join(" ");

test("lines that stay, go and come are in the order of the texts", () => {
  assert.equal(show("abcd", "axcd"), " a -b +x  c  d");
  assert.equal(show("abc", "abc"), " a  b  c");
  assert.equal(show("", "ab"), "+a +b");
  assert.equal(show("ab", ""), "-a -b");
});

test("the lines that stay or go make the old text, those that stay or come make the new one", () => {
  for (const [before, after] of [
    ["abcabba", "cbabac"],
    ["aaa", "aa"],
    ["xyz", "zyx"],
  ] as const) {
    const lines = diffLines(before.split(""), after.split(""));
    const text = (mark: string): string =>
      lines
        .filter((line) => line.mark === " " || line.mark === mark)
        .map((line) => line.text)
        .join("");
    assert.deepEqual([text("-"), text("+")], [before, after]);
  }
});
