/** Many requests and closes at once, and late, repeated and foreign ones. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { clone, create } from "@bufbuild/protobuf";
import { ConnectionSchema, PathSchema, type Connection } from "../api/gen/nsm/connection_pb.js";
import { addressOf, failing, shopMesh } from "../../fixtures/roles/mesh.ts";
import { peerNamed } from "../../fixtures/world/peer.ts";

test("100 requests for one id at once make one connection and one allocation", async () => {
  const { mesh, alpha, shop, role } = shopMesh("remote");
  await mesh.run(async () => {
    const answers = await Promise.all(
      Array.from({ length: 100 }, () => role.request(alpha.caller(), alpha.ask("c1", "shop"))),
    );
    assert.equal(new Set(answers.map(addressOf)).size, 1);
    assert.equal(shop.established().length, 1);
    assert.equal(alpha.identifiers.size, 1);
    await role.close(alpha.caller(), alpha.ask("c1", "shop").connection as Connection);
    await mesh.holdsNothing();
  });
});

test("requests and closes of one id in any order end in the state of the last call", async () => {
  const { mesh, alpha, shop, role } = shopMesh("remote");
  await mesh.run(async () => {
    const ask = () => role.request(alpha.caller(), alpha.ask("c1", "shop")).then(() => undefined);
    const close = () => role.close(alpha.caller(), alpha.ask("c1", "shop").connection as Connection);
    await Promise.all([ask(), close(), ask(), ask(), close(), close(), ask()]);
    assert.equal(shop.established().length, 1);
    await Promise.all([ask(), close(), ask(), close()]);
    assert.deepEqual(shop.established(), []);
    await mesh.holdsNothing();
  });
});

test("a close with an old state of the connection closes it, and only once", async () => {
  const { mesh, alpha, shop, role } = shopMesh("local");
  let closes = 0;
  mesh.weather = (verb, url) => void (verb === "close" && url === "self:shop-1" && closes++);
  await mesh.run(async () => {
    const old = await role.request(alpha.caller(), alpha.ask("c1", "shop"));
    await role.request(alpha.caller(), alpha.ask("c1", "shop"));
    delete old.mechanism;
    await Promise.all([
      role.close(alpha.caller(), clone(ConnectionSchema, old)),
      role.close(alpha.caller(), old),
    ]);
    assert.equal(closes, 1);
    assert.deepEqual(shop.established(), []);
    await mesh.holdsNothing();
  });
});

test("a repeated request without the assigned id is the same connection", async () => {
  const { mesh, alpha, shop } = shopMesh("remote");
  await mesh.run(async () => {
    const ask = () => {
      const request = alpha.ask("c1", "shop");
      request.connection!.path = create(PathSchema, { pathSegments: [{ name: "sdk", id: "c1" }] });
      return request;
    };
    const answers = await Promise.all(
      Array.from({ length: 100 }, () => alpha.manager.request(alpha.caller(), ask())),
    );
    assert.equal(new Set(answers.map((each) => each.path?.pathSegments[1]?.id)).size, 1);
    assert.equal(shop.established().length, 1);
    await alpha.manager.close(alpha.caller(), ask().connection as Connection);
    assert.deepEqual(shop.established(), []);
    await mesh.holdsNothing();
  });
});

test("a peer gets neither the connection nor the wire of another peer", async () => {
  const { mesh, alpha, role } = shopMesh("local");
  await mesh.run(async () => {
    const answer = await role.request(alpha.caller(), alpha.ask("c1", "shop"));
    const thief = { ...alpha.caller(), peer: peerNamed("unix:1000") };
    const request = alpha.ask("c1", "shop", { netns: alpha.workloads[1] });
    request.connection = clone(ConnectionSchema, answer);
    await assert.rejects(alpha.manager.request(thief, request), failing("PERMISSION_DENIED", /another peer/));
    const anew = alpha.ask("c1", "shop", { netns: alpha.workloads[1] });
    anew.connection!.path = clone(ConnectionSchema, answer).path!;
    anew.connection!.path.pathSegments.splice(1);
    await assert.rejects(
      alpha.manager.request(thief, anew),
      failing("PERMISSION_DENIED", /request wire c1: it belongs to another peer/),
    );
    await role.close(alpha.caller(), answer);
    await mesh.holdsNothing();
  });
});

test("a caller from another host gets no device in a namespace of this host", async () => {
  const { mesh, alpha } = shopMesh("local");
  await mesh.run(async () => {
    const request = alpha.ask("c1", "shop");
    request.connection!.path = create(PathSchema, { pathSegments: [{ name: "stranger", id: "c1" }] });
    const caller = { ...alpha.caller(), peer: peerNamed("tcp:10.8.0.9") };
    await assert.rejects(
      alpha.manager.request(caller, request),
      failing("INVALID_ARGUMENT", /cannot support any of the requested mechanism: none/),
    );
    await mesh.holdsNothing();
  });
});
