import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { ConnectionSchema, State } from "../../api/gen/nsm/connection_pb.js";
import { NetworkServiceRequestSchema } from "../../api/gen/nsm/networkservice_pb.js";
import { CLIENT_KIND } from "./client-kind.ts";

type Init = MessageInitShape<typeof ConnectionSchema>;

const asked: Init = { id: "c1", networkService: "shop", labels: { a: "1" } };
const answered: Init = {
  ...asked,
  networkServiceEndpointName: "nse-1",
  mechanism: { type: "KERNEL" },
  context: { ipContext: { srcIpAddrs: ["10.0.0.1/32"] } },
  payload: "ETHERNET",
};

function merge(again: Init) {
  const request = create(NetworkServiceRequestSchema, { connection: again });
  const last = {
    request: create(NetworkServiceRequestSchema, { connection: asked }),
    resource: create(ConnectionSchema, answered),
  };
  const merged = CLIENT_KIND.merge?.(request, last).connection;
  assert.ok(merged);
  return merged;
}

test("a repeated request keeps the answered path, mechanism, endpoint and context", () => {
  assert.deepEqual(merge(asked), create(ConnectionSchema, answered));
});

test("labels, endpoint and context that the caller changed replace the old ones", () => {
  const merged = merge({
    ...asked,
    labels: { b: "2" },
    networkServiceEndpointName: "nse-2",
    context: { ipContext: { excludedPrefixes: ["10.0.0.0/8"] } },
  });
  assert.deepEqual(merged.labels, { a: "1", b: "2" });
  assert.equal(merged.networkServiceEndpointName, "nse-2");
  assert.deepEqual(merged.context?.ipContext?.srcIpAddrs, []);
  assert.equal(merged.state, State.UP);
});

test("another service, or a request for another endpoint, drops the endpoint and the mechanism", () => {
  for (const again of [
    { ...asked, networkService: "bank" },
    { ...asked, state: State.RESELECT_REQUESTED },
  ]) {
    const merged = merge(again);
    assert.deepEqual(
      [merged.networkServiceEndpointName, merged.mechanism, merged.state],
      ["", undefined, State.RESELECT_REQUESTED],
    );
    assert.deepEqual(merged.context?.ipContext?.srcIpAddrs, ["10.0.0.1/32"], "the same address is requested");
  }
});
