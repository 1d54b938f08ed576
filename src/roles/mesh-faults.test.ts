/** Faults on the path of a request. No kernel object or allocation may be left behind. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import type { Connection } from "../api/gen/nsm/connection_pb.js";
import { RouteSchema } from "../api/gen/nsm/connectioncontext_pb.js";
import { vxlan } from "../mechanisms/vxlan/vxlan.ts";
import { NetloomError } from "../errors/errors.ts";
import { reason } from "../errors/reasons.ts";
import type { Operation } from "../kernel/kernel.ts";
import { addressOf, failing, Mesh, shopMesh } from "../../fixtures/roles/mesh.ts";

for (const where of ["local", "remote"] as const) {
  test(`a ${where} request that fails at any kernel operation leaves nothing, and the next one works`, async (t) => {
    let count = 0;
    for (let n = 0; ; n++) {
      let seen = 0;
      const operationFails = (_host: string, { verb }: Operation): boolean => verb === "add" && seen++ === n;
      const { mesh, alpha, shop, role } = shopMesh(where, { operationFails });
      let worked = false;
      await mesh.run(async () => {
        try {
          await role.request(alpha.caller(), alpha.ask("c1", "shop"));
          worked = true;
        } catch (error) {
          failing("RESOURCE_EXHAUSTED", /connect client to shop-1: .*ENOBUFS/)(error);
          assert.deepEqual(shop.established(), []);
          await mesh.holdsNothing();
          await role.request(alpha.caller(), alpha.ask("c1", "shop"));
        }
        await role.close(alpha.caller(), alpha.ask("c1", "shop").connection as Connection);
        await mesh.holdsNothing();
      });
      count = n;
      if (worked) break;
    }
    assert.ok(count > 5, `${count} operations`);
    t.diagnostic(`${count} operations`);
  });

  test(`a ${where} request whose messages are lost on any hop, in either direction, leaves nothing`, async () => {
    const urls = where === "local" ? 3 : 5;
    for (const when of ["there", "back"] as const) {
      for (let n = 0; n < urls; n++) {
        const { mesh, alpha, shop, role } = shopMesh(where);
        let requests = 0;
        mesh.weather = async (verb) => {
          if (verb === "request" && requests++ === n && when === "there") {
            throw new NetloomError("UNAVAILABLE", "call the next station: connection refused");
          }
        };
        mesh.weatherBack = (verb) => {
          if (verb === "request" && requests === urls && when === "back" && n-- === 0) {
            throw new NetloomError("DEADLINE_EXCEEDED", "call the next station: no answer came");
          }
        };
        const at = n;
        await mesh.run(async () => {
          await assert.rejects(
            role.request(alpha.caller(), alpha.ask("c1", "shop")),
            (error) => error instanceof NetloomError && /UNAVAILABLE|DEADLINE/.test(error.code),
            `${when} ${at}`,
          );
          assert.deepEqual(shop.established(), []);
          await mesh.holdsNothing();
        });
        n = at;
      }
    }
  });
}

test("a service that is not registered, or has no endpoint, is NOT_FOUND with a clear message", async () => {
  const { mesh, alpha, role } = shopMesh("local");
  mesh.offer({ name: "bank" });
  mesh.offer({ name: "blue-shop", matches: [{ routes: [{ destinationSelector: { color: "blue" } }] }] });
  alpha.newEndpoint("green", { service: "blue-shop", labels: { color: "green" } });
  await mesh.run(async () => {
    const ask = (service: string) => role.request(alpha.caller(), alpha.ask("c1", service));
    await assert.rejects(ask("shops"), failing("NOT_FOUND", /^network service shops is not found$/));
    await assert.rejects(
      ask("bank"),
      failing("NOT_FOUND", /candidates not found: no endpoint offers it now/),
    );
    await assert.rejects(
      ask("blue-shop"),
      failing("NOT_FOUND", /none of its 1 endpoints \(green is not color=blue; match 0 stops the search\)/),
    );
    await mesh.holdsNothing();
  });
});

test("a full pool is RESOURCE_EXHAUSTED with its name, and a close frees addresses", async () => {
  const mesh = new Mesh();
  const { alpha } = mesh;
  mesh.offer({ name: "shop" });
  alpha.newEndpoint("shop-1", { service: "shop", addresses: { pools: [["10.0.0.0/31"]] } });
  const { role } = alpha.newClient("client");
  await mesh.run(async () => {
    const first = await role.request(alpha.caller(), alpha.ask("c1", "shop"));
    const second = () => role.request(alpha.caller(), alpha.ask("c2", "shop", { name: "nsm-2" }));
    await assert.rejects(
      second(),
      failing(
        "RESOURCE_EXHAUSTED",
        /all candidates have failed: shop-1: .* of shop-1: its pool 10\.0\.0\.0\/31 has no room left/,
      ),
    );
    await role.close(alpha.caller(), first);
    const answer = await second();
    assert.equal(addressOf(answer), "10.0.0.1");
    await role.close(alpha.caller(), answer);
    await mesh.holdsNothing();
  });
});

test("an endpoint with an invalid answer gets a close, and the caller gets the problem", async () => {
  const nonsense: readonly (readonly [string, (connection: Connection) => void, RegExp])[] = [
    [
      "an address",
      ({ context }) => void context?.ipContext?.srcIpAddrs.push("10.0.0.300/32"),
      /"10\.0\.0\.300\/32" is not an address/,
    ],
    [
      "a route",
      ({ context }) => void context?.ipContext?.srcRoutes.push(create(RouteSchema, { prefix: "x" })),
      /route to "x"/,
    ],
    [
      "an interface name",
      ({ mechanism }) => (mechanism ? (mechanism.parameters["name"] = "x".repeat(200)) : undefined),
      /has 200 bytes; Linux takes 15/,
    ],
    ["no mechanism", (connection) => delete connection.mechanism, /it has no mechanism/],
    ["another id", (connection) => (connection.id = "c9"), /it is for connection c9/],
    [
      "another path",
      ({ path }) => void Object.assign(path?.pathSegments[0] ?? {}, { id: "c9" }),
      /it has changed segment 0 of the path/,
    ],
    ["an endless label", (connection) => (connection.labels["a"] = "x".repeat(100_000)), /its labels have/],
  ];
  for (const [what, spoil, message] of nonsense) {
    const { mesh, alpha, shop, role } = shopMesh("local");
    let closes = 0;
    alpha.offer("shop-1", {
      request: async (caller, request) => {
        const answer = await shop.request(caller, request);
        spoil(answer);
        return answer;
      },
      close: async (caller, connection) => {
        closes++;
        await shop.close(caller, connection);
      },
      monitor: (caller, selector) => shop.monitor(caller, selector),
    });
    await mesh.run(async () => {
      await assert.rejects(
        role.request(alpha.caller(), alpha.ask("c1", "shop")),
        failing("INTERNAL", message),
        what,
      );
      assert.equal(closes, 1, `${what}: closed once`);
      assert.deepEqual(shop.established(), [], what);
      await mesh.holdsNothing();
    });
  }
});

test("next hops in a circle end at the path's limit", async () => {
  const { mesh, alpha, beta, role } = shopMesh("local");
  mesh.offer({ name: "loop" });
  // Each of the two hosts treats the other one as the endpoint's host.
  alpha.register("loop-1", "loop", {}, beta.url);
  await mesh.run(async () => {
    await assert.rejects(
      role.request(alpha.caller(), alpha.ask("c1", "loop")),
      failing("INVALID_ARGUMENT", /its path has (65|more) segments.* circle/),
    );
    await mesh.holdsNothing();
  });
});

test("a UDP port taken by another program's tunnel device, on either host, is refused, and nothing is left", async () => {
  for (const who of ["alpha", "beta"] as const) {
    const { mesh, alpha, role } = shopMesh("remote");
    const host = mesh[who];
    const stranger = mesh.worlds.machine.kernel({
      host: `file:///run/netns/${who}`,
      mark: { group: 7000, protocol: 99 },
    });
    const end = { netns: "host", mac: "02:00:00:00:00:01", mtuBytes: 1450, alias: "" } as const;
    const tunnel = { vni: 7, local: host.address, remote: "10.8.0.9", port: 4789 };
    await mesh.run(async () => {
      await stranger.apply([
        { verb: "add", object: { kind: "vxlan", ...end, name: "flannel.1", ...tunnel } },
        { verb: "add", object: { kind: "up", netns: "host", link: "flannel.1" } },
      ]);
      await assert.rejects(
        role.request(alpha.caller(), alpha.ask("c1", "shop")),
        {
          message: /EADDRINUSE: UDP port 4789 is flannel\.1's/,
          reason: reason("UDP_PORT_TAKEN", { port: "4789" }),
        },
        who,
      );
      await mesh.holdsNothing();
    });
  }
});

test("if every proposed VNI is taken, the request fails after three attempts", async () => {
  const { mesh, alpha, beta, role } = shopMesh("remote");
  let requests = 0;
  mesh.beforeRequest = async (url, request) => {
    if (url !== beta.url) return;
    requests++;
    beta.identifiers.of(vxlan).claim(Number(request.mechanismPreferences[0]?.parameters["vni"]), "somebody");
  };
  await mesh.run(async () => {
    await assert.rejects(
      role.request(alpha.caller(), alpha.ask("c1", "shop")),
      failing("ALREADY_EXISTS", /VNI [0-9]+ is taken/),
    );
    assert.equal(requests, 3);
    assert.equal(alpha.identifiers.size, 0);
  });
});
