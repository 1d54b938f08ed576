import assert from "node:assert/strict";
import { test } from "node:test";
import { lineLog } from "./log.ts";

test("a line has its level, its message and its fields, quoted where needed", () => {
  const lines: string[] = [];
  const log = lineLog((line) => lines.push(line));
  log.info("wire is up", { wire: "alpha/web/to-db", ms: 4.2, why: undefined, text: 'a "b"\n' });
  log.debug("not said");
  log.error("x");
  assert.deepEqual(lines, [
    'level=info msg="wire is up" wire=alpha/web/to-db ms=4.2 text="a \\"b\\"\\n"',
    "level=error msg=x",
  ]);
});

test("a bug is described by the writer, in the line of its event", () => {
  const lines: string[] = [];
  const log = lineLog(
    (line) => lines.push(line),
    "info",
    (bug) => `${String(bug)}\n    at f (a.ts:1:2)`,
  );
  log.error("bug in a connection", { what: "ask again" }, new TypeError("x"));
  log.error("no bug", { what: "y" });
  assert.deepEqual(lines, [
    'level=error msg="bug in a connection" what="ask again" problem="TypeError: x\\n    at f (a.ts:1:2)"',
    'level=error msg="no bug" what=y',
  ]);
});

test("log text cannot control a terminal", () => {
  const lines: string[] = [];
  lineLog((line) => lines.push(line)).warn("\u001b[2J\u202e", { name: "\u009b" });
  assert.match(lines[0] ?? "", /^[\x20-\x7e]+$/);
});
