import assert from "node:assert/strict";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { test } from "node:test";
import { NetworkServiceEndpointSchema } from "../api/gen/nsm/registry_pb.js";
import { endpointKind } from "./entry-kind.ts";

const words = fc.constantFrom("", "a", "b", "10", "9", "zone", "app", "ä");
const labels = fc.array(fc.tuple(words, fc.array(fc.tuple(words, words), { maxLength: 4 })), {
  maxLength: 4,
});
type Labels = readonly (readonly [string, readonly (readonly [string, string])[]])[];

function endpointOf(services: Labels) {
  return create(NetworkServiceEndpointSchema, {
    name: "e",
    url: "tcp://10.0.0.1:5001",
    networkServiceNames: services.map(([service]) => service),
    expirationTime: timestampFromMs(1e12),
    initialRegistrationTime: timestampFromMs(5e11),
    networkServiceLabels: Object.fromEntries(
      services.map(([service, own]) => [service, { labels: Object.fromEntries(own) }]),
    ),
  });
}

const reversed = (services: Labels): Labels =>
  services.map(([service, own]) => [service, own.toReversed()] as const).toReversed();

test("the canonical form has all of an endpoint but its time, is the same for any order of fields, and leaves the endpoint unchanged", () => {
  fc.assert(
    fc.property(labels, (drawn) => {
      const services = [...new Map(drawn)].map(([service, own]) => [service, [...new Map(own)]] as const);
      const endpoint = endpointOf(services);
      endpoint.$unknown = [{ no: 99, wireType: 2, data: new Uint8Array([1, 7]) }];
      const before = toBinary(NetworkServiceEndpointSchema, endpoint);
      const { bytes } = endpointKind.list(endpoint);
      assert.deepEqual(toBinary(NetworkServiceEndpointSchema, endpoint), before);
      const read = fromBinary(NetworkServiceEndpointSchema, bytes);
      const { expirationTime, ...rest } = endpoint;
      assert.ok(expirationTime);
      assert.deepEqual({ ...read }, rest);
      const other = endpointOf(reversed(services));
      other.networkServiceNames = endpoint.networkServiceNames;
      other.$unknown = endpoint.$unknown;
      assert.deepEqual(endpointKind.list(other).bytes, bytes);
    }),
  );
});
