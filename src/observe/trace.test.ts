import assert from "node:assert/strict";
import { suite, test } from "node:test";
import fc from "fast-check";
import { readTraceHeaders, traceHeaders } from "./trace-context.ts";
import { type FinishedSpan, NO_TRACE, tracer, within } from "./trace.ts";

function recorder() {
  const spans: FinishedSpan[] = [];
  let nowMs = 1_000;
  const trace = tracer({
    host: "alpha",
    clock: { wallMs: () => nowMs, monotonicMs: () => nowMs, sleep: () => Promise.resolve() },
    bytes: (_purpose, n, length) => new Uint8Array(length).fill(n + 1),
    exporter: { export: (span) => void spans.push(span) },
  });
  return { spans, trace, pass: (ms: number) => (nowMs += ms) };
}

suite("a trace", () => {
  test("is a tree of spans, each with its time and the reason of its failure", async () => {
    const { spans, trace, pass } = recorder();
    const root = trace.begin("request", { attributes: { connection: "a" } });
    await assert.rejects(
      within(root.child("connect"), () => {
        pass(5);
        return Promise.reject(new Error("no route"));
      }),
      /no route/,
    );
    pass(2);
    root.end();
    assert.deepEqual(
      spans.map(({ name, parentId, durationMs, error }) => [name, parentId, durationMs, error]),
      [
        ["connect", root.context?.spanId, 5, "no route"],
        ["request", undefined, 7, undefined],
      ],
    );
    assert.equal(new Set(spans.map(({ traceId }) => traceId)).size, 1);
  });

  test("continues in another process by the headers beside the message", () => {
    const [near, far] = [recorder(), recorder()];
    const asking = near.trace.begin("ask");
    const parent = readTraceHeaders(traceHeaders(asking));
    assert.ok(parent);
    far.trace.begin("answer", { parent }).end();
    assert.equal(far.spans[0]?.traceId, asking.context?.traceId);
    assert.equal(far.spans[0]?.parentId, asking.context?.spanId);
  });

  test("that nobody records has no identity, and sends no headers", async () => {
    const span = NO_TRACE.begin("request").child("connect");
    assert.equal(span.context, undefined);
    assert.deepEqual(traceHeaders(span), {});
    assert.equal(await within(span, () => Promise.resolve(7)), 7);
  });

  test("has headers that are read as they were written; malformed ones give no trace and no error", () => {
    const digits = (length: number) =>
      fc
        .array(fc.integer({ min: 0, max: 15 }), { minLength: length, maxLength: length })
        .map((all) => all.map((digit) => digit.toString(16)).join(""));
    fc.assert(
      fc.property(digits(32), digits(16), (traceId, spanId) => {
        fc.pre(/[^0]/.test(traceId) && /[^0]/.test(spanId));
        const span = { context: { traceId, spanId }, child: () => assert.fail(), end: () => undefined };
        assert.deepEqual(readTraceHeaders(traceHeaders(span)), { traceId, spanId });
      }),
    );
    fc.assert(fc.property(fc.string(), (traceparent) => readTraceHeaders({ traceparent }) === undefined));
    const id = "1".repeat(32);
    assert.equal(readTraceHeaders({ traceparent: `ff-${id}-${"2".repeat(16)}-01` }), undefined);
    assert.equal(readTraceHeaders({ traceparent: `00-${"0".repeat(32)}-${"2".repeat(16)}-01` }), undefined);
    assert.ok(readTraceHeaders({ traceparent: `01-${id}-${"2".repeat(16)}-01-more` }));
  });
});
