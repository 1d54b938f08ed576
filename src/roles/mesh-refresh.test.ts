/** Clients of an endpoint whose answer changes are notified, and request again at once. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import {
  ConnectionEventType,
  MonitorScopeSelectorSchema,
  State,
  type Connection,
} from "../api/gen/nsm/connection_pb.js";
import type { ContextOptions } from "../elements/context/endpoint-context.ts";
import { NetloomError } from "../errors/errors.ts";
import { Mesh } from "../../fixtures/roles/mesh.ts";

/** `shop-1` answers with `says.now`. */
function changingMesh(where: "local" | "remote") {
  const mesh = new Mesh();
  const { alpha, beta } = mesh;
  mesh.offer({ name: "shop" });
  const says: { now: ContextOptions } = { now: {} };
  const shop = (where === "local" ? alpha : beta).newEndpoint("shop-1", {
    service: "shop",
    context: () => says.now,
  });
  return { mesh, alpha, beta, shop, says, ...alpha.newClient("client") };
}

const routesOf = (connection: Connection | undefined): string[] =>
  (connection?.context?.ipContext?.srcRoutes ?? []).map(({ prefix }) => prefix);

for (const where of ["local", "remote"] as const)
  suite(`a ${where} endpoint whose answer changes`, () => {
    test("makes its clients request again at once: the new route replaces the old one in the kernel, the wire stays", async () => {
      const { mesh, alpha, shop, says, role, news } = changingMesh(where);
      await mesh.run(async () => {
        says.now = { srcRoutes: [{ prefix: "10.1.0.0/16" }] };
        const answer = await role.request(alpha.caller(), alpha.ask("c1", "shop"));
        assert.ok(routesOf(answer).includes("10.1.0.0/16"));
        says.now = { srcRoutes: [{ prefix: "10.2.0.0/16" }], mtuBytes: 1400 };
        shop.requestRefresh();
        await alpha.world.clock.sleep(100);
        const [now] = role.established();
        assert.equal(
          routesOf(now)
            .filter((each) => each.endsWith("/16"))
            .join(),
          "10.2.0.0/16",
        );
        assert.equal(now?.context?.MTU, 1400);
        assert.deepEqual(
          now?.path?.pathSegments.map(({ id }) => id),
          answer.path?.pathSegments.map(({ id }) => id),
        );
        const routes = (await alpha.objects()).flatMap((each) =>
          each.kind === "route" && each.destination.endsWith("/16") ? [each.destination] : [],
        );
        assert.deepEqual(routes, ["10.2.0.0/16"]);
        assert.deepEqual(
          news.map(({ state }) => state),
          ["up", "up"],
        );
        says.now = {};
        shop.requestRefresh();
        await alpha.world.clock.sleep(100);
        const mtu = role.established()[0]?.context?.MTU;
        assert.equal(mtu, where === "local" ? answer.context?.MTU : 1446, "the old MTU is back");
        assert.equal(news.length, 3);
      });
    });

    test("reaches a client whose running request has already read the old answer", async () => {
      const { mesh, alpha, shop, says, role } = changingMesh(where);
      await mesh.run(async () => {
        mesh.weatherBack = async (_verb, url) => {
          if (url === "self:shop-1" && says.now.srcRoutes === undefined) {
            says.now = { srcRoutes: [{ prefix: "10.2.0.0/16" }] };
            shop.requestRefresh();
            await alpha.world.clock.sleep(50);
          }
        };
        const answer = await role.request(alpha.caller(), alpha.ask("c1", "shop"));
        assert.ok(!routesOf(answer).includes("10.2.0.0/16"));
        await alpha.world.clock.sleep(100);
        assert.ok(routesOf(role.established()[0]).includes("10.2.0.0/16"));
      });
    });

    test("reaches a client that cannot request at the moment, as soon as it can", async () => {
      const { mesh, alpha, shop, says, role, news } = changingMesh(where);
      await mesh.run(async () => {
        await role.request(alpha.caller(), alpha.ask("c1", "shop"));
        mesh.weather = (_verb, url) => {
          if (url === "manager") throw new NetloomError("UNAVAILABLE", "call manager: cable pulled");
        };
        says.now = { srcRoutes: [{ prefix: "10.2.0.0/16" }] };
        shop.requestRefresh();
        await alpha.world.clock.sleep(1_000);
        mesh.weather = () => undefined;
        await alpha.world.clock.sleep(2_000);
        assert.ok(routesOf(role.established()[0]).includes("10.2.0.0/16"));
        assert.deepEqual([news[0]?.state, news.at(-1)?.state], ["up", "up"]);
      });
    });

    test("is reported, like upstream's, to watchers of the client's manager", async () => {
      const { mesh, alpha, shop, role } = changingMesh(where);
      await mesh.run(async () => {
        await role.request(alpha.caller(), alpha.ask("c1", "shop"));
        const selector = create(MonitorScopeSelectorSchema, { pathSegments: [{ name: "client", id: "c1" }] });
        const watch = alpha.manager.monitor(alpha.caller(), selector);
        assert.equal((await watch.take())?.type, ConnectionEventType.INITIAL_STATE_TRANSFER);
        shop.requestRefresh();
        const states = [await watch.take(), await watch.take()].map((event) => [
          event?.type,
          Object.values(event?.connections ?? {})[0]?.state,
        ]);
        watch.close();
        assert.deepEqual(states, [
          [ConnectionEventType.UPDATE, State.REFRESH_REQUESTED],
          [ConnectionEventType.UPDATE, State.UP],
        ]);
      });
    });
  });

test("an endpoint with many clients asks for a few refreshes at a time, and reaches every client", async () => {
  const { mesh, alpha, shop, says, role, news } = changingMesh("local");
  await mesh.run(async () => {
    const { clock } = alpha.world;
    for (let n = 0; n < 120; n++)
      await role.request(alpha.caller(), alpha.ask(`c${n}`, "shop", { name: `nsm-${n}` }));
    news.splice(0);
    // One workload has all these wires, so a route could belong to only one of them.
    says.now = { extra: { edition: "second" } };
    shop.requestRefresh();
    await clock.sleep(90);
    assert.ok(news.length > 0 && news.length <= 25, `${news.length} in the first tenth of a second`);
    // A change during the refreshes applies to all clients.
    says.now = { extra: { edition: "third" } };
    shop.requestRefresh();
    await clock.sleep(1_000);
    for (const { context } of role.established()) assert.equal(context?.extraContext["edition"], "third");
  });
});
