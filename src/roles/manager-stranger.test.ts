/** Managers with the registry of another implementation. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { serveRegistries } from "../api/hops.ts";
import { serveAll } from "../api/rpc.ts";
import { Catalog } from "../registry/catalog.ts";
import { endpointKind, serviceKind } from "../registry/entry-kind.ts";
import { Finder } from "../registry/find.ts";
import { NetworkServiceEndpointSchema } from "../api/gen/nsm/registry_pb.js";
import { find, type Roles, URL, withMesh } from "../../fixtures/registry/manager-mesh.ts";
import { endpointOf, serviceOf, serviceQuery } from "../../fixtures/registry/registry.ts";
import type { HostWorld } from "../world/world.ts";

interface Stranger {
  /** The number of endpoints. */
  count?: () => number;
  /** The number of endpoints that have expired. */
  expired?: number;
}

/**
 * Behaves like upstream's memory registry: only NSM's contract, a lease for each endpoint, no state after a restart.
 * The endpoint "short" has a lease of 8 seconds, all others one of a minute.
 */
async function serveStranger(world: HostWorld, roles: Roles & Stranger): Promise<void> {
  const services = new Catalog(serviceKind);
  const endpoints = new Catalog(endpointKind);
  const ends = new Map<string, number>();
  const findEndpoints = new Finder({ kind: endpointKind, catalog: endpoints });
  const findServices = new Finder({ kind: serviceKind, catalog: services });
  roles.count = () => endpoints.size;
  world.scope.spawn("expire", async (scope) => {
    for (;;) {
      await world.clock.sleep(1000, scope);
      for (const [name, atMs] of ends) {
        if (atMs >= world.clock.monotonicMs() || !endpoints.get(name)) continue;
        endpoints.remove(name);
        roles.expired = (roles.expired ?? 0) + 1;
      }
    }
  });
  const served = serveRegistries(
    {
      request: (_caller, service) => {
        services.put(serviceKind.list(service));
        return Promise.resolve(service);
      },
      close: async (_caller, { name }) => void services.remove(name),
      find: (_caller, query) => findServices.find(query),
    },
    {
      request: (_caller, endpoint) => {
        const leaseMs = endpoint.name === "short" ? 8000 : 60_000;
        ends.set(endpoint.name, world.clock.monotonicMs() + leaseMs);
        endpoints.put(endpointKind.list(endpoint));
        const expirationTime = timestampFromMs(world.clock.wallMs() + leaseMs);
        return Promise.resolve(create(NetworkServiceEndpointSchema, { ...endpoint, expirationTime }));
      },
      close: async (_caller, { name }) => void endpoints.remove(name),
      find: (_caller, query) => findEndpoints.find(query),
    },
  );
  await world.hops.serve(URL, serveAll(served));
}

suite("another implementation's registry", () => {
  test("is followed, and every endpoint is registered again before it expires", async () => {
    await withMesh(
      async ({ self, hosts, roles }) => {
        const [alpha, beta] = [await self("alpha"), await self("beta")];
        await alpha.manager.services.request(alpha.caller, serviceOf("shop"));
        for (const name of ["a", "b"])
          await alpha.manager.endpoints.request(alpha.caller, endpointOf(name, { url: "self:x" }));
        const { count } = roles as Stranger;
        for (let n = 0; n < 60; n++) {
          await hosts.clock.sleep(5000);
          assert.equal(count?.(), 2);
        }
        assert.equal(beta.manager.view().state, "fresh");
        assert.deepEqual((await find(beta)).length, 2);
        await alpha.manager.endpoints.close(alpha.caller, endpointOf("a"));
        await hosts.clock.sleep(100);
        assert.deepEqual((await find(beta)).length, 1);
      },
      { serve: serveStranger },
    );
  });

  test("may give a later endpoint a shorter lease than an earlier one", async () => {
    await withMesh(
      async ({ self, hosts, roles }) => {
        const alpha = await self("alpha");
        for (const name of ["long", "short"]) {
          await alpha.manager.endpoints.request(alpha.caller, endpointOf(name, { url: "self:x" }));
          await hosts.clock.sleep(3000);
        }
        await hosts.clock.sleep(60_000);
        const { count, expired } = roles as Stranger;
        assert.deepEqual([count?.(), expired], [2, undefined]);
      },
      { serve: serveStranger },
    );
  });

  test("that has lost all entries gets all registrations again", async () => {
    await withMesh(
      async ({ self, hosts }) => {
        const [alpha, beta] = [await self("alpha"), await self("beta")];
        await alpha.manager.services.request(alpha.caller, serviceOf("shop"));
        await alpha.manager.endpoints.request(alpha.caller, endpointOf("a", { url: "self:x" }));
        await hosts.clock.sleep(5000);
        hosts.simulation.crash("registry");
        await hosts.clock.sleep(3000);
        hosts.simulation.restart("registry");
        await hosts.clock.sleep(30_000);
        assert.deepEqual(await find(beta), ["a tcp://10.0.0.1:5001"]);
        assert.equal((await beta.manager.services.find(beta.caller, serviceQuery()).all()).length, 1);
      },
      { serve: serveStranger },
    );
  });
});
