import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type Any, anyPack, anyUnpack } from "@bufbuild/protobuf/wkt";
import { Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { ErrorInfoSchema } from "../api/gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "../api/gen/google/rpc/status_pb.js";
import { NetloomError } from "../errors/errors.ts";
import { reason } from "../errors/reasons.ts";
import { fromStatus, toStatus } from "./status.ts";

const CALL = { url: "tcp://10.0.0.2:5001", attempt: "call /x at tcp://10.0.0.2:5001" } as const;
const TRAILER = "grpc-status-details-bin";

function failed(code: number, details: string, metadata = new Metadata()): ServiceError {
  return Object.assign(new Error(details), { code, details, metadata });
}

function overTheWire(error: unknown): NetloomError {
  const { code = 0, details = "", metadata } = toStatus(error);
  return fromStatus(failed(code, details, metadata), CALL);
}

function trailer(...details: readonly Any[]): Metadata {
  const metadata = new Metadata();
  const bytes = toBinary(StatusSchema, create(StatusSchema, { details: [...details] }));
  metadata.set(TRAILER, Buffer.from(bytes));
  return metadata;
}

function info(of: { reason?: string; domain?: string; metadata?: Record<string, string> }): Any {
  return anyPack(ErrorInfoSchema, create(ErrorInfoSchema, { domain: "netloom.dev", ...of }));
}

suite("an error over the wire", () => {
  test("keeps its code, text, hint, page, and its reason with all fields", () => {
    const sent = new NetloomError("NOT_FOUND", "find ä", {
      reason: reason("ENDPOINT_NOT_FOUND", { endpoint: "db.beta" }),
      topic: "NL-303",
      hint: "ask\nagain – später",
    });
    const got = overTheWire(sent);
    assert.deepEqual(
      [got.code, got.message, got.hint, got.topic, got.reason],
      [sent.code, sent.message, sent.hint, sent.topic, sent.reason],
    );
  });

  test("without a reason arrives without one, and its side does not travel", () => {
    const got = overTheWire(new NetloomError("ABORTED", "again", { side: "client" }));
    assert.deepEqual([got.reason, got.hint, got.side], [undefined, undefined, undefined]);
  });

  test("that is a programmer's arrives without details", () => {
    const got = overTheWire(new TypeError("secret"));
    assert.deepEqual(
      [got.code, got.message, got.reason],
      ["INTERNAL", "internal error: see the log of the other side", undefined],
    );
  });

  test("passes on a reason that only a later release knows", () => {
    const later = { name: "MOON_IN_THE_WAY", fields: { phase: "full" } };
    assert.deepEqual(overTheWire(new NetloomError("ABORTED", "x", { reason: later })).reason, later);
  });

  test("is a google.rpc.Status with the same code and text for peers in other languages", () => {
    const sent = new NetloomError("RESOURCE_EXHAUSTED", "no room", {
      reason: reason("PORT_TAKEN", { port: "tap0" }),
    });
    const { code, details, metadata } = toStatus(sent);
    assert.deepEqual([code, details], [status.RESOURCE_EXHAUSTED, "no room"]);
    const [bytes] = metadata?.get(TRAILER) ?? [];
    const said = fromBinary(StatusSchema, bytes as Buffer);
    assert.deepEqual([said.code, said.message, said.details.length], [8, "no room", 1]);
    const detail = anyUnpack(said.details[0] ?? assert.fail("no detail"), ErrorInfoSchema);
    assert.deepEqual(
      [detail?.domain, detail?.reason, detail?.metadata],
      ["netloom.dev", "PORT_TAKEN", { port: "tap0", topic: "NL-008" }],
    );
  });

  test("stays below the limits of headers, however long its parts are", () => {
    const fields = Object.fromEntries(Array.from({ length: 99 }, (_, i) => [`f${i}`, "ä".repeat(9_999)]));
    for (const letter of ["a", "ä", "語", "🦋"]) {
      const long = letter.repeat(99_999);
      const sent = new NetloomError("INTERNAL", long, { hint: long, reason: { name: "LONG", fields } });
      const [bytes] = toStatus(sent).metadata?.get(TRAILER) ?? [];
      assert.ok((bytes?.length ?? Infinity) <= 4_096, `${letter}: ${bytes?.length} bytes`);
      assert.equal(overTheWire(sent).reason?.name, "LONG");
    }
  });

  test("that is too long as a whole loses its hint before the fields of its reason", () => {
    const sent = new NetloomError("INTERNAL", "x".repeat(2_000), {
      hint: "y".repeat(2_000),
      reason: reason("PORT_TAKEN", { port: "tap0".repeat(100) }),
    });
    const got = overTheWire(sent);
    assert.deepEqual([got.hint, got.reason, got.message], [undefined, sent.reason, sent.message]);
  });
});

suite("an error of a stranger", () => {
  test("starts with the attempted action, whatever else it contains", () => {
    for (const metadata of [
      new Metadata(),
      trailer(),
      trailer(info({ domain: "example.org", reason: "PORT_TAKEN", metadata: { port: "x" } })),
    ]) {
      const got = fromStatus(failed(status.NOT_FOUND, "no such thing", metadata), CALL);
      assert.deepEqual(
        [got.code, got.message, got.reason],
        ["NOT_FOUND", `${CALL.attempt}: no such thing`, undefined],
      );
    }
  });

  test("about a peer that does not exist reports that, with the reason as data", () => {
    const text = "No connection established. Last error: Error: connect ECONNREFUSED 10.0.0.2:5001";
    const got = fromStatus(failed(status.UNAVAILABLE, text), CALL);
    assert.deepEqual(
      [got.message, got.reason],
      [
        `${CALL.attempt}: nobody answers there: ECONNREFUSED`,
        reason("PEER_UNREACHABLE", { url: CALL.url, why: "ECONNREFUSED" }),
      ],
    );
  });

  test("of release 0.1.0 has its hint and page in trailers of its own", () => {
    const metadata = new Metadata();
    metadata.set("netloom-hint-bin", Buffer.from("wait"));
    metadata.set("netloom-topic", "NL-303");
    const got = fromStatus(failed(status.UNAVAILABLE, "not now", metadata), CALL);
    assert.deepEqual(
      [got.code, got.message, got.hint, got.topic, got.reason],
      ["UNAVAILABLE", "not now", "wait", "NL-303", undefined],
    );
  });

  test("loses its malformed parts", () => {
    const strange = { topic: "NL-3", "": "1", "a b": "2", ["x".repeat(65)]: "3", good: "4" };
    for (const [name, expected] of [
      ["PORT_TAKEN", { name: "PORT_TAKEN", fields: { good: "4" } }],
      ["port taken", undefined],
      ["", undefined],
      ["NOT_FOUND", undefined],
      ["A".repeat(64), undefined],
    ] as const) {
      const metadata = trailer(info({ reason: name, metadata: strange }));
      const got = fromStatus(failed(status.ABORTED, "x", metadata), CALL);
      assert.deepEqual([got.reason, got.topic], [expected, "NL-010"], name);
    }
  });
});
