import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite, test, type TestContext } from "node:test";
import { lineLog, NO_LOG } from "../observe/log.ts";
import type { FinishedSpan } from "../observe/trace.ts";
import { openExporter } from "./exporters.ts";

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "nlt-"));
  t.after(() => rmSync(path, { recursive: true }));
  return path;
}

const SPAN: Readonly<FinishedSpan> = {
  traceId: "1".repeat(32),
  spanId: "2".repeat(16),
  name: "manager-alpha request",
  host: "alpha",
  startedAtMs: 0,
  durationMs: 4.5,
  attributes: { connection: "a" },
};

suite("an exporter", () => {
  test("of a file appends a line for each span, and only its user may read the file", async (t) => {
    const path = join(folder(t), "deep", "trace.jsonl");
    for (const error of [undefined, "refused"]) {
      const exporter = await openExporter(`file:${path}`, "--trace", NO_LOG);
      exporter.export({ ...SPAN, ...(error !== undefined && { error }) });
      await exporter.close();
    }
    const lines = readFileSync(path, "utf8").trimEnd().split("\n");
    const read = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.deepEqual(
      read.map(({ name, startedAt, error }) => [name, startedAt, error]),
      [
        [SPAN.name, "1970-01-01T00:00:00.000Z", undefined],
        [SPAN.name, "1970-01-01T00:00:00.000Z", "refused"],
      ],
    );
    assert.equal(statSync(path).mode & 0o077, 0);
  });

  test("logs once that spans are lost, and blocks nobody", async (t) => {
    const lines: string[] = [];
    const log = lineLog((line) => void lines.push(line));
    const exporter = await openExporter(`file:${join(folder(t), "trace.jsonl")}`, "--trace", log);
    await exporter.close();
    exporter.export(SPAN);
    exporter.export(SPAN);
    assert.equal(lines.length, 1);
    assert.match(lines[0] ?? "", /spans of traces are lost/);
  });

  test("of an unknown kind, or a file that cannot be opened, is refused with a remedy", async (t) => {
    await assert.rejects(openExporter("otlp://x", "--trace", NO_LOG), {
      code: "INVALID_ARGUMENT",
      message: '--trace "otlp://x": there is no such way out for traces',
      hint: "use file:PATH",
    });
    const inTheWay = join(folder(t), "file");
    writeFileSync(inTheWay, "");
    await assert.rejects(openExporter(`file:${inTheWay}/trace.jsonl`, "--trace", NO_LOG), {
      code: "FAILED_PRECONDITION",
      message: /^open .*\/trace.jsonl for traces: (ENOTDIR|EEXIST)/,
    });
  });
});
