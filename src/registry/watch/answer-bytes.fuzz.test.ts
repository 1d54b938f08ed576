import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import {
  NetworkServiceEndpointResponseSchema,
  NetworkServiceEndpointSchema,
} from "../../api/gen/nsm/registry_pb.js";
import { AnswerWriter } from "./answer-bytes.ts";

const writer = new AnswerWriter();

test("an answer put together from bytes is the encoded answer", () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string({ maxLength: 300 }), fc.constant("x".repeat(20_000))),
      fc.option(fc.nat(4e12), { nil: undefined }),
      fc.boolean(),
      (name, expiresAtMs, deleted) => {
        const entity = toBinary(NetworkServiceEndpointSchema, create(NetworkServiceEndpointSchema, { name }));
        const bytes = writer.write(entity, expiresAtMs, deleted);
        const expected = create(NetworkServiceEndpointResponseSchema, {
          networkServiceEndpoint: {
            name,
            ...(expiresAtMs !== undefined && { expirationTime: timestampFromMs(expiresAtMs) }),
          },
          deleted,
        });
        assert.deepEqual(fromBinary(NetworkServiceEndpointResponseSchema, bytes), expected);
      },
    ),
  );
});
