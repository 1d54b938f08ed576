import assert from "node:assert/strict";
import { test } from "node:test";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { isoTime } from "./iso-time.ts";

test("isoTime returns ISO 8601 text, and nothing for a missing or invalid time", () => {
  assert.equal(isoTime(timestampFromMs(Date.UTC(2026, 0, 31, 12))), "2026-01-31T12:00:00Z");
  assert.equal(isoTime(timestampFromMs(Date.UTC(2026, 0, 31, 12) + 250)), "2026-01-31T12:00:00.250Z");
  assert.equal(isoTime(undefined), undefined);
  assert.equal(isoTime({ ...timestampFromMs(0), seconds: 2n ** 62n }), undefined);
  assert.equal(isoTime({ ...timestampFromMs(0), nanos: -1 }), undefined);
});
