import assert from "node:assert/strict";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { test } from "node:test";
import { ConnectionSchema } from "./gen/nsm/connection_pb.js";
import { NetworkServiceRequestSchema, type NetworkServiceRequest } from "./gen/nsm/networkservice_pb.js";
import { wireProblem } from "./wire-scan.ts";

const list = <T>(item: fc.Arbitrary<T>, maxLength: number) => fc.array(item, { maxLength, size: "max" });
const text = fc.string({ maxLength: 5 });
const pairs = fc.dictionary(text, text, { maxKeys: 128 });
const route = fc.record({ prefix: text, nextHop: text });
const mechanism = fc.record({
  cls: text,
  type: text,
  parameters: fc.dictionary(text, text, { maxKeys: 20 }),
});

/** Requests up to the limits of a list, followed by unknown fields of a newer peer. */
const legal = fc
  .record({
    request: fc.record({
      mechanismPreferences: list(mechanism, 32),
      connection: fc.record({
        id: text,
        labels: pairs,
        mechanism,
        path: fc.record({
          index: fc.nat(),
          pathSegments: list(
            fc.record({ name: text, id: text, expires: fc.record({ nanos: fc.nat(999) }), metrics: pairs }),
            64,
          ),
        }),
        context: fc.record({
          MTU: fc.nat(),
          extraContext: pairs,
          ipContext: fc.record({
            srcIpAddrs: list(text, 1_024),
            srcRoutes: list(route, 1_024),
            excludedPrefixes: list(text, 1_024),
            policies: list(fc.record({ from: text, routes: list(route, 32) }), 32),
          }),
          dnsContext: fc.record({ configs: list(fc.record({ dnsServerIps: list(text, 8) }), 128) }),
        }),
      }),
    }),
    // Field 20: a varint, four bytes, eight bytes, a text, a group with a field in it.
    unknown: list(
      fc.constantFrom(
        [0xa0, 1, 0xff, 3],
        [0xa5, 1, 1, 2, 3, 4],
        [0xa1, 1, 1, 2, 3, 4, 5, 6, 7, 8],
        [0xa2, 1, 1, 65],
        [0xa3, 1, 8, 5, 0xa4, 1],
      ),
      100,
    ),
  })
  .map(({ request, unknown }) =>
    Buffer.concat([
      toBinary(NetworkServiceRequestSchema, create(NetworkServiceRequestSchema, request)),
      Uint8Array.from(unknown.flat()),
    ]),
  );

/** Number of elements of each kind that the decoder made, over the whole message. */
function sizes({
  connection,
  mechanismPreferences,
}: NetworkServiceRequest): readonly (readonly [number, number])[] {
  const ip = connection?.context?.ipContext;
  return [
    [connection?.path?.pathSegments.length ?? 0, 64],
    [mechanismPreferences.length, 32],
    [Object.keys(connection?.labels ?? {}).length, 128],
    [ip?.srcIpAddrs.length ?? 0, 1_024],
    [ip?.srcRoutes.length ?? 0, 1_024],
    [ip?.policies.reduce((sum, { routes }) => sum + routes.length, 0) ?? 0, 1_024],
  ];
}

/** Number of objects, and of elements of lists, in a decoded message. */
function objects(value: unknown): number {
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return 0;
  return Object.values(value).reduce((sum: number, inner: unknown) => sum + 1 + objects(inner), 1);
}

test("a legal message passes, with fields of a newer peer", () => {
  fc.assert(
    fc.property(legal, (bytes) => assert.equal(wireProblem(NetworkServiceRequestSchema, bytes), undefined)),
    { numRuns: 60 },
  );
});

test("a message that passes is decoded within the limits, whatever its bytes are", () => {
  const broken = fc
    .tuple(legal, list(fc.tuple(fc.nat(4_000), fc.nat(255)), 8), fc.nat(3))
    .map(([bytes, changes, copies]) => {
      for (const [at, byte] of changes) if (bytes.length > 0) bytes[at % bytes.length] = byte;
      return Buffer.concat(Array.from({ length: copies + 1 }, () => bytes));
    });
  const random = fc.uint8Array({ maxLength: 300 });
  let passed = 0;
  fc.assert(
    fc.property(fc.oneof(legal, broken, random), (bytes) => {
      if (wireProblem(NetworkServiceRequestSchema, bytes) !== undefined) return;
      passed += 1;
      let request: NetworkServiceRequest;
      try {
        request = fromBinary(NetworkServiceRequestSchema, bytes);
      } catch (error) {
        // Invalid UTF-8 is detected by the decoder.
        assert.match(String(error), /UTF-?8|encoded data/i);
        return;
      }
      for (const [size, limit] of sizes(request)) assert.ok(size <= limit);
      assert.ok(objects(request) < 400_000);
    }),
    { numRuns: 150 },
  );
  assert.ok(passed > 10, "some have passed");
});

test("a message that the decoder accepts and an encoder wrote passes, with its fields in any order", () => {
  fc.assert(
    fc.property(fc.shuffledSubarray(["a", "b", "c", "d"]), fc.nat(64), (keys, segments) => {
      const parts = [
        ...keys.map((key) => create(ConnectionSchema, { labels: { [key]: key } })),
        create(ConnectionSchema, { path: { pathSegments: Array.from({ length: segments }, () => ({})) } }),
      ].map((part) => toBinary(ConnectionSchema, part));
      const bytes = Buffer.concat(parts.reverse());
      assert.equal(wireProblem(ConnectionSchema, bytes), undefined);
      assert.equal(fromBinary(ConnectionSchema, bytes).path?.pathSegments.length, segments);
    }),
  );
});
