import assert from "node:assert/strict";
import { test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { Metadata } from "@grpc/grpc-js";
import fc from "fast-check";
import { ErrorInfoSchema } from "../api/gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "../api/gen/google/rpc/status_pb.js";
import { NetloomError } from "../errors/errors.ts";
import { readDetails, writeDetails } from "./status-details.ts";

const TRAILER = "grpc-status-details-bin";

function trailer(bytes: Uint8Array): Metadata {
  const metadata = new Metadata();
  metadata.set(TRAILER, Buffer.from(bytes));
  return metadata;
}

const fieldName = fc
  .stringMatching(/^[a-z][a-zA-Z0-9]{0,20}$/)
  .filter((name) => !["topic", "hint"].includes(name));

const error = fc
  .record({
    message: fc.string({ maxLength: 300, unit: "binary" }),
    hint: fc.option(fc.string({ minLength: 1, maxLength: 300, unit: "binary" }), { nil: undefined }),
    reason: fc.option(
      fc.record(
        {
          name: fc.stringMatching(/^R_[A-Z0-9_]{1,30}$/),
          fields: fc.dictionary(fieldName, fc.string({ maxLength: 100 }), {
            maxKeys: 8,
            noNullPrototype: true,
          }),
        },
        { noNullPrototype: true },
      ),
      { nil: undefined },
    ),
  })
  .map(({ message, hint, reason }) => new NetloomError("ABORTED", message, { reason, hint }));

test("details that were written are read back", () => {
  fc.assert(
    fc.property(error, (sent) => {
      const got = readDetails(writeDetails(sent));
      assert.deepEqual(
        [got?.topic, got?.hint, got?.reason],
        [sent.topic, sent.hint?.toWellFormed(), sent.reason],
      );
    }),
  );
});

test("any bytes are read as details or ignored, and never throw", () => {
  const status = (value: Uint8Array): Uint8Array =>
    toBinary(
      StatusSchema,
      create(StatusSchema, {
        details: [{ typeUrl: "type.googleapis.com/google.rpc.ErrorInfo", value }],
      }),
    );
  const info = fc
    .record({
      reason: fc.string({ unit: "binary" }),
      metadata: fc.dictionary(fc.string({ unit: "binary" }), fc.string({ unit: "binary" })),
    })
    .map((fields) => {
      const wellFormed = Object.entries(fields.metadata).map(([key, value]) => [
        key.toWellFormed(),
        value.toWellFormed(),
      ]);
      return toBinary(
        ErrorInfoSchema,
        create(ErrorInfoSchema, {
          domain: "netloom.dev",
          reason: fields.reason.toWellFormed(),
          metadata: Object.fromEntries(wellFormed) as Record<string, string>,
        }),
      );
    });
  const bytes = fc.oneof(fc.uint8Array(), fc.uint8Array().map(status), info.map(status));
  fc.assert(
    fc.property(bytes, (value) => {
      const got = readDetails(trailer(value));
      for (const [field, text] of Object.entries(got?.reason?.fields ?? {}))
        assert.ok(field.length <= 64 && text.length <= 501);
      if (got?.topic !== undefined) assert.match(got.topic, /^NL-\d{3}$/);
    }),
  );
});
