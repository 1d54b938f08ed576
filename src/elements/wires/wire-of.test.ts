import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { ConnectionSchema, MechanismSchema } from "../../api/gen/nsm/connection_pb.js";
import { preferenceFor } from "../../mechanisms/list.ts";
import { wireOf } from "./wire-of.ts";

/** A wire that begins in a workload that forwards for `sources`. */
function wireFor(sources: readonly string[]) {
  const place = { netns: "file:///run/netns/fw" } as const;
  const requested = { name: "out-1", forwarding: true, sources };
  const answer = create(ConnectionSchema, {
    id: "c1",
    mechanism: preferenceFor({ netns: "file:///run/netns/shop" }, { name: "shop" }),
    context: {
      ipContext: {
        srcIpAddrs: ["10.2.0.1/32", "fd00:2::1/128"],
        dstIpAddrs: ["10.2.0.0/32", "fd00:2::/128"],
        srcRoutes: [{ prefix: "10.2.0.0/32" }, { prefix: "0.0.0.0/0" }, { prefix: "fd00:9::/64" }],
        policies: [{ proto: "tcp", routes: [{ prefix: "10.9.0.0/16" }] }],
      },
    },
  });
  return wireOf(answer, create(MechanismSchema, preferenceFor(place, requested)));
}

test("in a workload that forwards for others, routes apply to packets from its sources, but routes to the far end apply to all packets", () => {
  const { client, context } = wireFor(["10.1.0.1/32", "fd00:1::1/128"]);
  assert.deepEqual(client, {
    type: "KERNEL",
    netns: "file:///run/netns/fw",
    interfaceName: "out-1",
    forwarding: true,
    sources: ["10.1.0.1/32", "fd00:1::1/128"],
  });
  assert.deepEqual(context.srcRoutes, [{ prefix: "10.2.0.0/32" }]);
  const told = (context.policies ?? []).map(({ from, proto, routes = [] }) =>
    [from, proto, ...routes.map(({ prefix }) => prefix)].filter(Boolean).join(" "),
  );
  assert.deepEqual(told, [
    "10.1.0.1/32 tcp 10.9.0.0/16",
    "10.1.0.1/32 0.0.0.0/0",
    "fd00:1::1/128 fd00:9::/64",
  ]);
});

test("in other workloads the routes stay as they were answered", () => {
  const { context } = wireFor([]);
  assert.equal(context.srcRoutes?.length, 3);
  assert.equal(context.policies?.length, 1);
});

test("a source that is not a prefix is refused", () => {
  assert.throws(() => wireFor(["nonsense"]), /the source "nonsense" is not a prefix/);
});
