import assert from "node:assert/strict";
import { test } from "node:test";
import { Journal } from "./journal.ts";

function journal(): { readonly journal: Journal; readonly at: (ms: number) => void } {
  let nowMs = 0;
  const clock = { wallMs: () => nowMs } as ConstructorParameters<typeof Journal>[0];
  return { journal: new Journal(clock), at: (ms) => void (nowMs = ms) };
}

const web = { kind: "NetworkServiceClient", name: "web" };
const db = { kind: "NetworkServiceProvider", name: "db" };
const failed = { ref: web, isWarning: true, reason: "Failed", message: "no endpoint" } as const;

test("an event that repeats the last one of its attachment is counted, and becomes the newest", () => {
  const { journal: kept, at } = journal();
  kept.write(failed);
  at(1);
  kept.write({ ref: db, isWarning: false, reason: "Up", message: "" });
  at(2);
  kept.write(failed);
  assert.deepEqual(
    kept.list().map(({ ref, reason, count, firstMs, lastMs }) => [ref.name, reason, count, firstMs, lastMs]),
    [
      ["db", "Up", 1, 1, 1],
      ["web", "Failed", 2, 0, 2],
    ],
  );
  kept.write({ ...failed, message: "no answer" });
  kept.write(failed);
  assert.deepEqual(
    kept.list(web).map(({ message, count }) => [message, count]),
    [
      ["no endpoint", 2],
      ["no answer", 1],
      ["no endpoint", 1],
    ],
  );
});

test("an event is kept for an hour after its last repetition", () => {
  const { journal: kept, at } = journal();
  kept.write(failed);
  at(3_000_000);
  kept.write({ ref: db, isWarning: false, reason: "Up", message: "" });
  kept.write(failed);
  at(3_600_001);
  assert.equal(kept.list().length, 2);
  at(6_600_000);
  assert.equal(kept.list().length, 0);
});

test("the journal has a limit, and drops the oldest events first", () => {
  const { journal: kept, at } = journal();
  for (let n = 0; n < 10_500; n++) {
    at(n);
    kept.write({ ref: { kind: "a", name: `n${n}` }, isWarning: false, reason: "Up", message: "" });
  }
  const events = kept.list();
  assert.ok(events.length <= 10_000);
  assert.equal(events.at(-1)?.ref.name, "n10499");
});
