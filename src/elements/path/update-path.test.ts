import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { ConnectionSchema, type Connection } from "../../api/gen/nsm/connection_pb.js";
import { enterPath, leavePath, cutPath } from "./update-path.ts";

const connection = (id: string, index: number, ...segments: [name: string, id: string][]): Connection =>
  create(ConnectionSchema, {
    id,
    path: { index, pathSegments: segments.map(([name, segment]) => ({ name, id: segment })) },
  } satisfies MessageInitShape<typeof ConnectionSchema>);
const segments = ({ path }: Connection) => path?.pathSegments.map(({ name, id }) => `${name} ${id}`);
const uuid = () => "new";

test("the first process of a path takes the connection's id for its segment", () => {
  const asked = create(ConnectionSchema, { id: "c" });
  assert.equal(enterPath(asked, "client", uuid), 0);
  assert.deepEqual([asked.id, asked.path?.index, segments(asked)], ["c", 0, ["client c"]]);
});

test("a server appends its segment with an id of its own, and returns the caller's id", () => {
  const asked = connection("c", 0, ["client", "c"]);
  const caller = enterPath(asked, "manager", uuid);
  assert.deepEqual(
    [caller, asked.id, asked.path?.index, segments(asked)],
    [0, "new", 1, ["client c", "manager new"]],
  );
  assert.equal(
    enterPath(asked, "manager", uuid),
    1,
    "the client side of the same process stays in its segment",
  );
  leavePath(asked, caller);
  assert.deepEqual([asked.id, asked.path?.index, segments(asked)], ["c", 0, ["client c", "manager new"]]);
});

test("a refresh finds the id that the process assigned before", () => {
  const asked = connection("c", 0, ["client", "c"], ["manager", "m"], ["forwarder", "f"]);
  enterPath(asked, "manager", uuid);
  assert.deepEqual([asked.id, segments(asked)], ["m", ["client c", "manager m", "forwarder f"]]);
});

test("another next hop takes over the segment under a new id, and the tail stays until it is trimmed", () => {
  const asked = connection(
    "m",
    1,
    ["client", "c"],
    ["manager", "m"],
    ["forwarder-1", "f"],
    ["endpoint", "e"],
  );
  enterPath(asked, "forwarder-2", uuid);
  assert.deepEqual(segments(asked), ["client c", "manager m", "forwarder-2 new", "endpoint e"]);
  assert.ok(asked.path);
  cutPath(asked.path);
  assert.deepEqual(segments(asked), ["client c", "manager m", "forwarder-2 new"]);
});

test("an index beyond the path, or an id that is not the segment's, is refused", () => {
  assert.throws(() => enterPath(connection("c", 7, ["client", "c"]), "m", uuid), {
    code: "INVALID_ARGUMENT",
    message: "enter path of connection c: index 7 is beyond its 1 segments",
  });
  assert.throws(() => enterPath(connection("x", 0, ["client", "c"]), "m", uuid), {
    code: "INVALID_ARGUMENT",
    message: "enter path of connection x: segment 0 has the id c",
  });
});
