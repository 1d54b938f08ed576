/**
 * ```
 *  alpha: manager-alpha 10.0.0.1:5001 ─┐
 *                                      ├─> registry 10.0.0.9:5002
 *  beta:  manager-beta  10.0.0.2:5001 ─┘
 * ```
 */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { SELF } from "../world/peer.ts";
import { serveAll } from "../api/rpc.ts";
import { labIdentity } from "../identity/lab-identity.ts";
import { hopTo } from "../registry/hop-to.ts";
import {
  callerOf,
  endpointOf,
  endpointQuery,
  gather,
  serviceOf,
  serviceQuery,
  withHosts,
} from "../../fixtures/registry/registry.ts";
import type { HostWorld } from "../world/world.ts";
import type { IncomingMessage } from "../world/hops.ts";
import { managerRegistry, type ManagerRegistry } from "./manager-registry.ts";
import { registry } from "./registry.ts";
import { find, type Roles, URL, withMesh } from "../../fixtures/registry/manager-mesh.ts";
import { peerNamed } from "../../fixtures/world/peer.ts";

suite("a host's view during a registration", () => {
  test("a registration that is answered late does not hide later changes of others", async () => {
    const serve = async (world: HostWorld, roles: Roles): Promise<void> => {
      roles.registry = await registry({
        world,
        store: world.store,
        name: "registry",
        identity: labIdentity(world),
      });
      const handler = serveAll(roles.registry.served);
      let count = 0;
      const call = async (incoming: IncomingMessage) => {
        const answer = await handler.call(incoming);
        const isFirst = incoming.method.endsWith("NetworkServiceRegistry/Register") && ++count === 1;
        if (isFirst) await world.clock.sleep(1_000);
        return answer;
      };
      await world.hops.serve(URL, { ...handler, call });
    };
    await withMesh(
      async ({ self, hosts }) => {
        const [alpha, beta] = [await self("alpha"), await self("beta")];
        await hosts.until(
          () => alpha.manager.view().state === "fresh" && beta.manager.view().state === "fresh",
        );
        const late = alpha.manager.services.request(alpha.caller, serviceOf("shop"));
        await alpha.world.clock.sleep(500);
        await beta.manager.services.request(beta.caller, serviceOf("shop", { matches: [{ routes: [{}] }] }));
        await late;
        const [found] = await alpha.manager.services.find(alpha.caller, serviceQuery({ name: "shop" })).all();
        assert.equal(found?.networkService?.matches.length, 1);
      },
      { serve },
    );
  });
});

suite("a host's own view", () => {
  test("an endpoint has its own URL on its host, and its manager's URL on other hosts", async () => {
    await withMesh(async ({ self }) => {
      const [alpha, beta] = [await self("alpha"), await self("beta")];
      const labels = { shop: { labels: { app: "shop" } } };
      const given = await alpha.manager.endpoints.request(
        alpha.caller,
        endpointOf("a", { url: "self:a", networkServiceLabels: labels }),
      );
      assert.equal(given.url, "self:a");
      assert.deepEqual(await find(alpha, { name: "a" }), ["a self:a"]);
      assert.deepEqual(await find(alpha, { url: "tcp://10.0.0.1:5001" }), ["a self:a"]);
      assert.deepEqual(
        await find(beta, { networkServiceNames: ["shop"] }),
        ["a tcp://10.0.0.1:5001"],
        "at once",
      );
      const [found] = await beta.manager.endpoints.find(beta.caller, endpointQuery({ name: "a" })).all();
      assert.deepEqual(found?.networkServiceEndpoint?.networkServiceLabels["shop"]?.labels, {
        app: "shop",
        nodeName: "alpha",
      });
      await alpha.manager.endpoints.close(alpha.caller, endpointOf("a"));
      assert.deepEqual(await find(alpha), []);
      await beta.world.clock.sleep(100);
      assert.deepEqual(await find(beta), []);
    });
  });

  test("URLs that are invalid, or that lead into another process or to another host's socket, are refused", async () => {
    await withMesh(async ({ self, roles }) => {
      const { manager, world } = await self("alpha");
      const register = (url: string, peer: string) =>
        manager.endpoints.request(callerOf(world, peer), endpointOf("a", { url }));
      await assert.rejects(register("", "unix"), { code: "INVALID_ARGUMENT" });
      await assert.rejects(register("nonsense", "unix"), { code: "INVALID_ARGUMENT" });
      await assert.rejects(register("self:forwarder", "unix"), { code: "INVALID_ARGUMENT" });
      await assert.rejects(register("unix:///run/a.sock", "tcp:10.0.0.7"), { code: "INVALID_ARGUMENT" });
      assert.equal((await register("unix:///run/a.sock", "unix")).url, "unix:///run/a.sock");
      assert.equal(roles.registry?.status().endpoints, 1);
    });
  });

  test("a watch reports services and endpoints as in the host's view", async () => {
    await withMesh(async ({ self }) => {
      const [alpha, beta] = [await self("alpha"), await self("beta")];
      const endpoints = gather(
        alpha.world,
        alpha.manager.endpoints.find(alpha.caller, endpointQuery({}, true)),
      );
      const services = gather(beta.world, beta.manager.services.find(beta.caller, serviceQuery({}, true)));
      await alpha.manager.services.request(alpha.caller, serviceOf("shop"));
      await alpha.manager.endpoints.request(alpha.caller, endpointOf("a", { url: "self:a" }));
      await beta.manager.endpoints.request(beta.caller, endpointOf("b", { url: "self:b" }));
      await alpha.world.clock.sleep(100);
      const urls = endpoints.map(({ networkServiceEndpoint: found, deleted }) => [found?.url, deleted]);
      assert.deepEqual(urls, [
        ["self:a", false],
        ["tcp://10.0.0.2:5001", false],
      ]);
      assert.deepEqual(
        services.map(({ networkService }) => networkService?.payload),
        ["IP"],
      );
    });
  });
});

test("like upstream's, a manager reports new URLs and times, but does not report that an endpoint no longer matches the query", async () => {
  await withMesh(async ({ self }) => {
    const { manager, world, caller } = await self("alpha");
    const peer = peerNamed("unix:1000");
    const program = { ...caller, peer };
    const inZone = (zone: string) => ({ networkServiceLabels: { shop: { labels: { zone } } } });
    const register = (port: number, zone: string) =>
      manager.endpoints.request(
        program,
        endpointOf("a", { url: `tcp://127.0.0.1:${port}`, ...inZone(zone) }),
      );
    const watched = gather(world, manager.endpoints.find(caller, endpointQuery(inZone("x"), true)));
    await world.clock.sleep(100);
    const steps = [
      () => register(1, "x"),
      () => register(1, "x"),
      () => register(2, "x"),
      () => register(2, "y"),
    ];
    for (const step of steps) {
      await step();
      await world.clock.sleep(1_500);
    }
    const { expirationTime } = await register(3, "x");
    await world.clock.sleep(1_500);
    assert.ok(expirationTime);
    assert.deepEqual(await find({ manager, caller }, { expirationTime }), ["a tcp://127.0.0.1:3"]);
    await manager.endpoints.close(program, endpointOf("a"));
    await world.clock.sleep(100);
    assert.deepEqual(
      watched.map(({ networkServiceEndpoint: told, deleted }) => [told?.url.at(-1), deleted]).slice(0, -1),
      [
        ["1", false],
        ["1", false],
        ["2", false],
        ["3", false],
      ],
    );
    assert.equal(watched.at(-1)?.deleted, true);
    assert.equal(watched.length, 5);
    for (const { networkServiceEndpoint: told } of watched) assert.ok(told?.expirationTime, told?.url);
    assert.deepEqual(watched.at(-1)?.networkServiceEndpoint?.expirationTime, expirationTime);
  });
});

test("a process may be its own registry", async () => {
  let own: ManagerRegistry | undefined;
  const alone = async (world: HostWorld): Promise<void> => {
    const identity = labIdentity(world);
    const role = await registry({ world, store: world.store, name: "registry-alone", identity });
    own = await managerRegistry({
      world,
      name: "manager-alone",
      identity,
      url: "tcp://10.0.0.1:5001",
      hops: world.hops,
      disk: world.disk,
      registry: hopTo(serveAll(role.served), world),
    });
  };
  await withHosts({ alone }, async ({ world, until, clock }) => {
    await until(() => own !== undefined);
    assert.ok(own);
    const caller = { ...callerOf(await world("alone")), peer: SELF };
    await own.endpoints.request(caller, endpointOf("a", { url: "self:a" }));
    assert.deepEqual(await find({ manager: own, caller }), ["a self:a"]);
    await clock.sleep(300_000);
    assert.deepEqual(await find({ manager: own, caller }), ["a self:a"]);
    assert.equal(own.view().state, "fresh");
  });
});

suite("an endpoint of a host", () => {
  test("stays registered without further requests, and ends with its process", async () => {
    await withMesh(async ({ self, roles, hosts }) => {
      const alpha = await self("alpha");
      for (const name of ["a", "b"])
        await alpha.manager.endpoints.request(alpha.caller, endpointOf(name, { url: "self:x" }));
      await hosts.clock.sleep(600_000);
      assert.equal(roles.registry?.status().endpoints, 2);
      hosts.simulation.crash("alpha");
      roles.managers.delete("alpha");
      hosts.simulation.restart("alpha");
      const again = await self("alpha");
      await again.manager.endpoints.request(again.caller, endpointOf("a", { url: "self:x" }));
      assert.deepEqual(await find(again), ["a self:x"], "registrations of an earlier process are not found");
      await hosts.clock.sleep(62_000);
      const beta = await self("beta");
      assert.deepEqual(await find(beta), ["a tcp://10.0.0.1:5001"]);
      await hosts.clock.sleep(120_000);
      assert.equal(roles.registry?.status().endpoints, 1);
    });
  });

  test("of another process is dropped when that process stops refreshing", async () => {
    await withMesh(async ({ self, roles, hosts }) => {
      const { manager, world } = await self("alpha");
      const register = () =>
        manager.endpoints.request(callerOf(world, "unix"), endpointOf("a", { url: "unix:///a" }));
      for (let n = 0; n < 3; n++) {
        await register();
        await hosts.clock.sleep(40_000);
      }
      assert.equal(roles.registry?.status().endpoints, 1);
      await hosts.clock.sleep(21_000);
      assert.equal(roles.registry?.status().endpoints, 0);
      await register();
      assert.equal(roles.registry?.status().endpoints, 1);
    });
  });

  test("is registered again after the registry has lost it, and exactly once", async () => {
    const faults = [
      { kind: "partition", hosts: ["alpha", "registry"], atMs: 20_000, forMs: 100_000 },
    ] as const;
    await withMesh(
      async ({ self, roles, hosts }) => {
        const alpha = await self("alpha");
        await alpha.manager.services.request(alpha.caller, serviceOf("shop"));
        for (let n = 0; n < 30; n++)
          await alpha.manager.endpoints.request(alpha.caller, endpointOf(`e${n}`, { url: "self:x" }));
        await hosts.clock.sleep(110_000);
        assert.equal(roles.registry?.status().endpoints, 0, "the partition is longer than the lease");
        await hosts.clock.sleep(60_000);
        assert.equal(roles.registry?.status().endpoints, 30);
        assert.equal(alpha.manager.view().state, "fresh");
      },
      { faults },
    );
  });

  test("is unregistered later if the registry could not be reached at once", async () => {
    await withMesh(async ({ self, roles, hosts }) => {
      const alpha = await self("alpha");
      for (const name of ["a", "b"])
        await alpha.manager.endpoints.request(alpha.caller, endpointOf(name, { url: "self:x" }));
      hosts.simulation.crash("registry");
      await assert.rejects(alpha.manager.endpoints.close(alpha.caller, endpointOf("a")));
      hosts.simulation.restart("registry");
      await hosts.clock.sleep(30_000);
      assert.equal(roles.registry?.status().endpoints, 1);
    });
  });
});

suite("a registry that is down", () => {
  test("makes the view stale: known endpoints are found, and new ones come when the registry is back", async () => {
    await withMesh(async ({ self, hosts }) => {
      const [alpha, beta] = [await self("alpha"), await self("beta")];
      await alpha.manager.endpoints.request(alpha.caller, endpointOf("a", { url: "self:a" }));
      await hosts.clock.sleep(5000);
      assert.equal(beta.manager.view().state, "fresh");
      hosts.simulation.crash("registry");
      await hosts.clock.sleep(600_000);
      assert.equal(beta.manager.view().state, "stale");
      assert.match(beta.manager.view().reason ?? "", /10\.0\.0\.9/);
      assert.deepEqual(await find(beta), ["a tcp://10.0.0.1:5001"]);
      assert.deepEqual(await find(beta, { name: "nothing" }), []);
      await assert.rejects(
        alpha.manager.endpoints.request(alpha.caller, endpointOf("b", { url: "self:b" })),
        {
          code: "UNAVAILABLE",
        },
      );
      hosts.simulation.restart("registry");
      await hosts.clock.sleep(30_000);
      assert.equal(beta.manager.view().state, "fresh");
      await alpha.manager.endpoints.request(alpha.caller, endpointOf("b", { url: "self:b" }));
      await hosts.clock.sleep(100);
      assert.equal((await find(beta)).length, 2);
    });
  });

  test("leaves its last answers to a restarted manager", async () => {
    await withMesh(async ({ self, hosts, roles }) => {
      const alpha = await self("alpha");
      await alpha.manager.services.request(alpha.caller, serviceOf("shop"));
      await alpha.manager.endpoints.request(alpha.caller, endpointOf("a", { url: "self:a" }));
      await hosts.clock.sleep(20_000);
      for (const host of ["registry", "beta"]) hosts.simulation.crash(host);
      roles.managers.delete("beta");
      hosts.simulation.restart("beta");
      const beta = await self("beta");
      assert.deepEqual(await find(beta), ["a tcp://10.0.0.1:5001"]);
      assert.equal(
        (await beta.manager.services.find(beta.caller, serviceQuery({ name: "shop" })).all()).length,
        1,
      );
      assert.equal(beta.manager.view().state, "stale");
    });
  });

  test("and was never reached is UNAVAILABLE with the reason", async () => {
    await withMesh(
      async ({ self }) => {
        const alpha = await self("alpha");
        await assert.rejects(find(alpha), { code: "UNAVAILABLE", message: /call .*10\.0\.0\.9/ });
        assert.equal(alpha.manager.view().state, "unknown");
      },
      { serve: () => Promise.resolve() },
    );
  });
});
