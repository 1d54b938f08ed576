/** Refusals of the command, and the file that it makes of answers. Captures themselves: e2e/capture.netns.test.ts. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { readPcapng } from "../../../fixtures/capture/pcapng-reader.ts";
import { CaptureReplySchema } from "../../api/gen/netloom/admin/v1/admin_pb.js";
import { CaptureFile } from "../mesh/capture-file.ts";
import { Output } from "../output.ts";
import { captureCommand } from "./capture.ts";

test("frames are not written to a terminal, and the error says what to do instead", async () => {
  const written: string[] = [];
  const terminal = new Output({ write: (text) => written.push(String(text)), isTTY: true }, {});
  const { signal } = new AbortController();
  const context = {
    format: "text",
    out: terminal,
    err: terminal,
    signal,
    audience: signal,
    setExitCode: () => assert.fail("it has not run"),
  } as const;
  await assert.rejects(captureCommand(context).parseAsync(["web/to-db", "tcp"], { from: "user" }), {
    code: "INVALID_ARGUMENT",
    message: "capture web/to-db: what it writes is not for a terminal",
    hint: /> wire\.pcapng.*\| wireshark -k -i -/,
  });
  assert.deepEqual(written, []);
});

const ENDS = ["to-db", "to-log"].map((device) => ({
  name: `alpha/web/${device}`,
  interface: device,
  wireId: device,
}));

function file(limit: number, replies: readonly MessageInitShape<typeof CaptureReplySchema>[]) {
  let nowMs = 1_000;
  const made = new CaptureFile({
    application: "netloom test",
    snapBytes: 96,
    filter: "",
    limit,
    nowMs: () => nowMs++,
  });
  const blocks = replies.flatMap((reply) => made.add(create(CaptureReplySchema, reply)));
  const isFull = made.isFull;
  return { isFull, read: readPcapng(Buffer.concat([...blocks, ...made.end()])), summary: made.summary() };
}

const FRAME = { timeNs: 5n, data: Uint8Array.of(1, 2, 3), length: 3, isOutgoing: true, toEndpoint: true };

test("a file has an interface for each end, with the counters of its frames", () => {
  const { read, summary, isFull } = file(Infinity, [
    { ends: ENDS },
    { end: 1, frames: [FRAME], passed: 7n, lost: 2n, accepted: 1n },
    { end: 0, frames: [], passed: 3n, lost: 0n, accepted: 0n },
  ]);
  assert.equal(isFull, false);
  assert.deepEqual(read.interfaces, ["to-db", "to-log"]);
  assert.deepEqual(
    read.packets.map((each) => [each.interface, each.direction, each.comment]),
    [[1, "out", "wire alpha/web/to-log: client to endpoint"]],
  );
  assert.deepEqual(read.statistics, [
    { interface: 0, received: 3n, accepted: 0n, dropped: 0n },
    { interface: 1, received: 7n, accepted: 1n, dropped: 2n },
  ]);
  assert.deepEqual(summary, [
    "alpha/web/to-db: 0 frames captured of 3 that passed, 0 lost",
    "alpha/web/to-log: 1 frame captured of 7 that passed, 2 lost for lack of room: --buffer gives more",
  ]);
});

test("a file takes no more frames than requested", () => {
  const { read, isFull } = file(3, [
    { ends: ENDS },
    { end: 0, frames: [FRAME, FRAME], passed: 2n },
    { end: 0, frames: [FRAME, FRAME], passed: 4n },
  ]);
  assert.deepEqual([read.packets.length, isFull], [3, true]);
});
