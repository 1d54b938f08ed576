/** Connections that lose their path and find another. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { clone } from "@bufbuild/protobuf";
import { State, type Connection } from "../api/gen/nsm/connection_pb.js";
import { NetworkServiceRequestSchema as requestSchema } from "../api/gen/nsm/networkservice_pb.js";
import { addressOf, failing, farAddressOf, pathOf, shopMesh } from "../../fixtures/roles/mesh.ts";

test("an endpoint that is gone is replaced by another; the interface and the address stay", async () => {
  const { mesh, alpha, beta, shop, role, news } = shopMesh("remote");
  await mesh.run(async () => {
    const before = await role.request(alpha.caller(), alpha.ask("c1", "shop"));
    alpha.newEndpoint("shop-2", { service: "shop" });
    beta.unregister("shop-1");
    for (const { id } of shop.established()) await shop.drop(id);
    await alpha.world.clock.sleep(5_000);
    const [after] = role.established();
    assert.ok(after);
    assert.deepEqual(pathOf(after), ["client", "manager-alpha", "forwarder-alpha", "shop-2"]);
    assert.equal(after.state, State.UP);
    assert.equal(addressOf(after), addressOf(before));
    assert.equal(
      mesh.worlds.machine.reaches(alpha.workloads[0], farAddressOf(after))?.netns,
      alpha.workloads[1],
    );
    assert.deepEqual(
      [...new Set(news.map(({ state }) => state))],
      ["up", "healing"],
      "healing is not a close",
    );
    await role.close(alpha.caller(), after);
    await mesh.holdsNothing();
  });
});

test("a loss before the answer to the first request is healed too", async () => {
  const { mesh, alpha, role, shop, news } = shopMesh("remote");
  await mesh.run(async () => {
    let isLost = false;
    mesh.weatherBack = async (verb, url) => {
      if (isLost || verb !== "request" || url !== "manager") return;
      isLost = true;
      for (const { id } of shop.established()) await shop.drop(id);
      await alpha.world.clock.sleep(100);
    };
    await role.request(alpha.caller(), alpha.ask("c1", "shop"));
    assert.deepEqual(shop.established(), []);
    await alpha.world.clock.sleep(1_000);
    assert.equal(shop.established().length, 1);
    assert.deepEqual(
      news.map(({ state }) => state),
      ["up", "healing", "up"],
    );
  });
});

test("healing continues with growing pauses until an endpoint is registered, and stops at the close", async () => {
  const { mesh, alpha, shop, role } = shopMesh("local");
  await mesh.run(async () => {
    await role.request(alpha.caller(), alpha.ask("c1", "shop"));
    alpha.unregister("shop-1");
    for (const { id } of shop.established()) await shop.drop(id);
    let requests = 0;
    mesh.weather = (verb, url) => void (verb === "request" && url === "manager" && requests++);
    await alpha.world.clock.sleep(60_000);
    assert.ok(requests > 8 && requests < 25, `${requests} requests in a minute`);
    await mesh.holdsNothing();
    alpha.newEndpoint("shop-2", { service: "shop" });
    await alpha.world.clock.sleep(11_000);
    const [after] = role.established();
    assert.equal(after?.networkServiceEndpointName, "shop-2");
    alpha.unregister("shop-2");
    // The local side is removed even if the other side cannot be reached.
    await assert.rejects(
      role.close(alpha.caller(), alpha.ask("c1", "shop").connection as Connection),
      failing("UNAVAILABLE", /nobody serves there/),
    );
    requests = 0;
    await alpha.world.clock.sleep(600_000);
    assert.equal(requests, 0);
    await mesh.holdsNothing();
  });
});

test("a reselect closes the old endpoint first", async () => {
  const { mesh, alpha, shop, role } = shopMesh("local");
  await mesh.run(async () => {
    const request = alpha.ask("c1", "shop");
    await role.request(alpha.caller(), clone(requestSchema, request));
    alpha.newEndpoint("shop-2", { service: "shop" });
    const again = clone(requestSchema, request);
    again.connection!.state = State.RESELECT_REQUESTED;
    const after = await role.request(alpha.caller(), again);
    assert.equal(after.networkServiceEndpointName, "shop-2");
    assert.equal(after.state, State.UP);
    assert.deepEqual(shop.established(), []);
    await role.close(alpha.caller(), after);
    await mesh.holdsNothing();
  });
});
