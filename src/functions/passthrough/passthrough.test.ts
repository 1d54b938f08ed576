import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { ConnectionContextSchema } from "../../api/gen/nsm/connectioncontext_pb.js";
import { passthrough } from "./passthrough.ts";

const { ask, answer } = passthrough.passage({});

function clientContext() {
  return create(ConnectionContextSchema, {
    ipContext: {
      srcIpAddrs: ["10.1.0.1/32", "fd00:1::1/128"],
      dstIpAddrs: ["10.1.0.0/32", "fd00:1::/128"],
      srcRoutes: [{ prefix: "10.1.0.0/32" }, { prefix: "fd00:1::/128" }],
      dstRoutes: [{ prefix: "10.1.0.1/32" }, { prefix: "fd00:1::1/128" }],
    },
  });
}

test("the endpoint gets the route back to the client, once", () => {
  const next = create(ConnectionContextSchema);
  ask(next, clientContext());
  ask(next, clientContext());
  assert.deepEqual(
    next.ipContext?.dstRoutes.map(({ prefix }) => prefix),
    ["10.1.0.1/32", "fd00:1::1/128"],
  );
});

test("the client gets the far addresses alone, routes and policies without next hops, and name servers", () => {
  const client = clientContext();
  const next = create(ConnectionContextSchema, {
    ipContext: {
      srcIpAddrs: ["10.2.0.1/24", "fd00:2::1/64"],
      dstIpAddrs: ["10.2.0.9/24", "fd00:2::9/64"],
      srcRoutes: [{ prefix: "10.2.0.9/32" }, { prefix: "0.0.0.0/0", nextHop: "10.2.0.9" }],
      dstRoutes: [{ prefix: "10.1.0.0/16" }, { prefix: "fd00:1::/64" }],
      policies: [{ proto: "tcp", dstPort: "80", routes: [{ prefix: "10.3.0.0/16", nextHop: "10.2.0.9" }] }],
    },
    dnsContext: { configs: [{ dnsServerIps: ["10.2.0.53"] }] },
  });
  assert.equal(answer(client, next), undefined);
  const { ipContext, dnsContext } = client;
  assert.deepEqual(
    ipContext?.srcRoutes.map(({ prefix, nextHop }) => `${prefix} ${nextHop}`),
    ["10.1.0.0/32 ", "fd00:1::/128 ", "10.2.0.9/32 ", "fd00:2::9/128 ", "0.0.0.0/0 "],
  );
  assert.deepEqual(
    ipContext?.policies.map(({ proto, dstPort, routes }) => [
      proto,
      dstPort,
      routes.map(({ nextHop }) => nextHop),
    ]),
    [["tcp", "80", [""]]],
  );
  assert.deepEqual(dnsContext?.configs[0]?.dnsServerIps, ["10.2.0.53"]);
  assert.deepEqual(ipContext?.srcIpAddrs, clientContext().ipContext?.srcIpAddrs, "its addresses are its own");
});

test("an endpoint without a valid route back to the client is refused", () => {
  for (const dstRoutes of [[], [{ prefix: "10.1.0.0/16" }], [{ prefix: "nonsense" }]])
    assert.match(
      answer(clientContext(), create(ConnectionContextSchema, { ipContext: { dstRoutes } })) ?? "",
      /^the endpoint accepts no route to the client's .*fd00:1::1\/128; its acceptRoutes have to contain the pools/,
    );
});
