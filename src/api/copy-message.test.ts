import assert from "node:assert/strict";
import { test } from "node:test";
import { clone, create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { ConnectionSchema } from "./gen/nsm/connection_pb.js";
import { copyMessage } from "./copy-message.ts";

test("a copy equals a clone, keeps unknown fields, and shares nothing", () => {
  const known = create(ConnectionSchema, {
    id: "c1",
    labels: { a: "b" },
    mechanism: { cls: "LOCAL", parameters: { name: "nsm-1" } },
    context: { ipContext: { srcIpAddrs: ["10.0.0.1/32"], srcRoutes: [{ prefix: "10.0.0.2/32" }] } },
    path: { index: 1, pathSegments: [{ name: "x", expires: timestampFromMs(1) }] },
  });
  // Field 99, a string.
  const bytes = new Uint8Array([...toBinary(ConnectionSchema, known), 0x9a, 0x06, 0x02, 0x68, 0x69]);
  const message = fromBinary(ConnectionSchema, bytes);
  const copied = copyMessage(message);
  assert.deepEqual(copied, clone(ConnectionSchema, message));
  assert.deepEqual(toBinary(ConnectionSchema, copied), bytes);
  copied.context?.ipContext?.srcRoutes.pop();
  Object.assign(copied.path?.pathSegments[0] ?? {}, { name: "y" });
  copied.labels["a"] = "c";
  (copied.$unknown?.[0]?.data ?? new Uint8Array(1))[1] = 0;
  assert.deepEqual(toBinary(ConnectionSchema, message), bytes);
});
