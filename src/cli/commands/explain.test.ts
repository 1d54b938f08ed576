import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { ERROR_AREAS, ERROR_PAGES } from "../errors/error-pages.ts";
import { errorReference } from "./explain.ts";
import { netloom } from "../spawn-netloom.ts";

const SOURCES = new URL("../../", import.meta.url);

/** Topics by the files that use them in an error. */
function topicsInSources(): Map<string, string> {
  const files = readdirSync(SOURCES, { recursive: true, encoding: "utf8" }).filter(
    (path) => path.endsWith(".ts") && !/\.test\.ts$|^api\/gen|^cli\/(error-pages|explain)\.ts$/.test(path),
  );
  const found = new Map<string, string>();
  for (const path of files) {
    // Topics in comments are examples.
    const code = readFileSync(new URL(path, SOURCES), "utf8").replace(/^\s*(\*|\/\/|\/\*).*$/gm, "");
    for (const [topic] of code.matchAll(/\bNL-\d+\b/g)) found.set(topic, path);
  }
  return found;
}

test("every topic in an error has a page, and every page has an error", () => {
  const given = topicsInSources();
  assert.ok(given.size > 30, "the scan has seen the sources");
  assert.deepEqual([...given.keys()].sort(), Object.keys(ERROR_PAGES).sort());
});

test("a topic has three digits, the first of which is its area", () => {
  for (const topic of Object.keys(ERROR_PAGES)) {
    const area = /^NL-(\d)\d\d$/.exec(topic)?.[1];
    assert.ok(area !== undefined && area in ERROR_AREAS, topic);
  }
});

test("docs/reference/errors.md has the pages, word for word", () => {
  const written = readFileSync(new URL("../../../docs/reference/errors.md", import.meta.url), "utf8");
  assert.equal(written, errorReference(), "run `make docs`");
});

test("explain prints a page within 100 columns, however the code is written", async () => {
  const [full, short] = await Promise.all([netloom(["explain", "NL-303"]), netloom(["explain", "303"])]);
  assert.deepEqual([full.code, full.stderr], [0, ""]);
  assert.equal(full.stdout, short.stdout);
  assert.match(full.stdout, /^NL-303 {2}no endpoint for this client\n\n[^]+Causes:\n {2}- /);
  for (const line of full.stdout.split("\n")) assert.ok(line.length <= 100, line);
});

test("explain of an unknown code reports that, with the closest code", async () => {
  const { code, stderr } = await netloom(["explain", "NL-33"]);
  assert.equal(code, 1);
  assert.match(stderr, /^error: explain NL-33: there is no such error; did you mean "NL-\d+"\?\nhint: /);
});

test("explain prints a reason with its fields, in either case of letters", async () => {
  const { code, stdout } = await netloom(["explain", "port_taken"]);
  assert.deepEqual(
    [code, stdout],
    [0, "PORT_TAKEN  A port is the end of another wire.\n\nFields:\n  port  the device\n"],
  );
  const { stdout: json } = await netloom(["explain", "PORT_TAKEN", "-o", "json"]);
  assert.deepEqual(JSON.parse(json), {
    reason: "PORT_TAKEN",
    means: "A port is the end of another wire.",
    fields: { port: "the device" },
  });
});
