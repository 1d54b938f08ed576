import assert from "node:assert/strict";
import { test } from "node:test";
import { Gauges } from "./gauges.ts";
import { lineLog, logThatFails, withFields } from "./log.ts";
import { Retries } from "./retries.ts";

test("gauges are read with their present values, sorted by name, and a name has one gauge", () => {
  const gauges = new Gauges();
  let wires = 1;
  const take = gauges.register({ name: "wires", help: "Wires.", read: () => wires });
  gauges.register({ name: "agents", help: "Agents.", read: () => 2 });
  wires = 3;
  assert.deepEqual(
    gauges.read().map(({ name, value }) => [name, value]),
    [
      ["agents", 2],
      ["wires", 3],
    ],
  );
  assert.throws(() => gauges.register({ name: "wires", help: "", read: () => 0 }), TypeError);
  assert.throws(() => gauges.register({ name: "No good", help: "", read: () => 0 }), TypeError);
  take();
  gauges.register({ name: "wires", help: "Wires.", read: () => 0 });
});

test("a retried operation is listed from its first failure until it is over, with its count and reason", () => {
  let nowMs = 5;
  const retries = new Retries({
    wallMs: () => nowMs,
    monotonicMs: () => nowMs,
    sleep: () => Promise.resolve(),
  });
  assert.equal(retries.failed("b", new Error("first")), 1);
  nowMs = 9;
  assert.equal(retries.failed("a", new Error("other")), 1);
  assert.equal(retries.failed("b", new Error("second")), 2);
  assert.deepEqual(retries.list(), [
    { what: "b", sinceMs: 5, failures: 2, reason: "second" },
    { what: "a", sinceMs: 9, failures: 1, reason: "other" },
  ]);
  retries.over("b");
  assert.deepEqual(
    retries.list().map(({ what }) => what),
    ["a"],
  );
});

test("a log with fields adds them to each line, and a log that fails passes unexpected errors on", () => {
  const lines: string[] = [];
  const log = withFields(
    lineLog((line) => void lines.push(line)),
    { station: "alpha" },
  );
  log.info("up", { wire: "a" });
  assert.deepEqual(lines, ["level=info msg=up station=alpha wire=a"]);
  const bugs: unknown[] = [];
  const strict = logThatFails((bug) => void bugs.push(bug));
  strict.error("refused");
  strict.error("bug", {}, "oops");
  assert.deepEqual(bugs, ["oops"]);
});
