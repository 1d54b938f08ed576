import assert from "node:assert/strict";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { suite, test } from "node:test";
import { ChangesSchema } from "./gen/netloom/registry_pb.js";
import { ConnectionEventSchema, ConnectionSchema } from "./gen/nsm/connection_pb.js";
import { NetworkServiceRequestSchema } from "./gen/nsm/networkservice_pb.js";
import { decode } from "./rpc.ts";

const READ = ["INVALID_ARGUMENT", "read a request"] as const;

/** `count` empty messages in the field number `field`. */
const empties = (field: number, count: number): Uint8Array =>
  new Uint8Array(Array.from({ length: count }, () => [(field << 3) | 2, 0]).flat());

/** `inner` as the message in `field`. */
function within(field: number, inner: Uint8Array): Uint8Array {
  const length: number[] = [];
  for (let rest = inner.length; ; rest >>>= 7) {
    length.push(rest < 128 ? rest : (rest & 127) | 128);
    if (rest < 128) break;
  }
  return Buffer.concat([Uint8Array.of((field << 3) | 2), Uint8Array.from(length), inner]);
}

const refused = (bytes: Uint8Array, message: RegExp): void =>
  assert.throws(() => decode(NetworkServiceRequestSchema, bytes, ...READ), {
    code: "INVALID_ARGUMENT",
    message,
  });

suite("a message is refused before it is decoded if it has", () => {
  test("four megabytes of empty path segments", () => {
    const path = within(6, empties(2, 2_000_000));
    refused(within(1, path), /its path has more segments than the 64 .* circle\?/);
  });

  test("a list that is too long over several occurrences of its message", () => {
    const path = within(6, empties(2, 40));
    refused(Buffer.concat([within(1, path), within(1, path)]), /more segments than the 64/);
  });

  test("too many routes over all policies, or too many addresses in a list", () => {
    const policy = within(11, empties(5, 32));
    const ip = Buffer.concat(Array.from({ length: 33 }, () => policy));
    refused(within(1, within(4, within(1, ip))), /its policies have more routes than the 1024/);
    refused(
      within(1, within(4, within(1, empties(1, 1_025)))),
      /IPContext.src_ip_addrs has more than the 1024/,
    );
  });

  test("too many pairs, preferences, or unknown fields", () => {
    refused(within(1, empties(5, 129)), /Connection.labels has more than the 128/);
    refused(empties(2, 33), /mechanism_preferences has more than the 32/);
    refused(empties(15, 16_385), /more than the 16384 fields/);
  });

  test("too many levels of nested messages or groups", () => {
    refused(new Uint8Array(1_000_000).fill((15 << 3) | 3), /deeper than the 16 levels/);
  });

  test("truncated fields, or fields of another type than the contract has", () => {
    for (const bytes of [[0x0a], [0x0a, 0x05, 0x01], [0x08, 0x01], [0x7b, 0x74], [0xff], [0x00, 0x00]])
      refused(Uint8Array.from(bytes), /malformed/);
  });
});

test("each element of a long list of independent messages has the limits for itself", () => {
  const one = create(ConnectionSchema, {
    path: { pathSegments: Array.from({ length: 60 }, (_, i) => ({ id: `${i}` })) },
  });
  const connections = Object.fromEntries(Array.from({ length: 1_500 }, (_, i) => [`c${i}`, one]));
  const event = toBinary(ConnectionEventSchema, create(ConnectionEventSchema, { connections }));
  assert.deepEqual(decode(ConnectionEventSchema, event, ...READ), fromBinary(ConnectionEventSchema, event));
  const endpoints = Array.from({ length: 20_000 }, (_, i) => ({
    name: `e${i}`,
    networkServiceNames: ["a", "b"],
  }));
  const changes = toBinary(ChangesSchema, create(ChangesSchema, { endpoints, removedEndpoints: ["x", "y"] }));
  assert.equal(decode(ChangesSchema, changes, ...READ).endpoints.length, 20_000);
  const long = within(2, Buffer.concat([within(2, within(6, empties(2, 65)))]));
  assert.throws(() => decode(ConnectionEventSchema, long, ...READ), /more segments than the 64/);
});
