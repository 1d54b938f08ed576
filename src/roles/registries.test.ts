/**
 * Two registries over one store serve one mesh.
 *
 * ```
 *  hosts ──► one 10.0.0.8 ──┐
 *       └──► two 10.0.0.9 ──┴──► store
 * ```
 */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { LeaseSchema, Registry as RegistryApi, WatchRequestSchema } from "../api/gen/netloom/registry_pb.js";
import { stationsOver } from "../api/hops.ts";
import { call, serveAll, watch } from "../api/rpc.ts";
import { labIdentity } from "../identity/lab-identity.ts";
import { withHost } from "../registry/names/host-names.ts";
import { withLease } from "../registry/leases/lease-metadata.ts";
import {
  callerOf,
  endpointOf,
  endpointQuery,
  gather,
  type Hosts,
  serviceOf,
  withHosts,
} from "../../fixtures/registry/registry.ts";
import { type Fault, STORE_HOST } from "../sim/faults.ts";
import type { HostWorld } from "../world/world.ts";
import { registry, type Registry } from "./registry.ts";

const URLS = { one: "tcp://10.0.0.8:5002", two: "tcp://10.0.0.9:5002" } as const;
type Name = keyof typeof URLS;
const LEASE_MS = 60_000;

interface Setting {
  readonly hosts: Hosts;
  /** The registry of the current run of its process. */
  readonly role: (name: Name) => Registry;
  readonly world: (name: Name) => Promise<HostWorld>;
}

async function withRegistries(
  body: (setting: Setting) => Promise<void>,
  faults: readonly Fault[] = [],
): Promise<void> {
  const roles = new Map<string, Registry>();
  const program = (name: Name) => async (world: HostWorld) => {
    const identity = labIdentity(world);
    const role = await registry({ world, store: world.store, name, identity });
    await world.hops.serve(URLS[name], serveAll(role.served));
    roles.set(name, role);
  };
  await withHosts(
    { one: program("one"), two: program("two"), alpha: () => Promise.resolve() },
    async (hosts) => {
      await hosts.until(() => roles.size === 2);
      const role = (name: Name): Registry => roles.get(name) ?? assert.fail(name);
      await body({ hosts, role, world: (name) => hosts.world(name) });
    },
    { faults },
  );
}

async function found(world: HostWorld, role: Registry): Promise<string[]> {
  const answers = await role.endpoints.find(callerOf(world), endpointQuery()).all();
  return answers.map(({ networkServiceEndpoint }) => networkServiceEndpoint?.name ?? "").sort();
}

/** Calls netloom.registry.v1.Registry/KeepAlive like the agent of a host. */
async function keepAlive(world: HostWorld, name: Name, lease: string, url = ""): Promise<number> {
  const metadata = url === "" ? {} : withHost({}, { name: "alpha", url });
  const message = create(LeaseSchema, { name: lease });
  const options = { timeoutMs: 3000, metadata };
  return (await call(world.hops.dial(URLS[name]), RegistryApi.method.keepAlive, message, options)).endpoints;
}

suite("two registries over one store", () => {
  test("find and report entries registered at either one, and each can unregister all of them", async () => {
    await withRegistries(async ({ hosts, role, world }) => {
      const [one, two] = [await world("one"), await world("two")];
      const alpha = await hosts.world("alpha");
      const told = gather(
        alpha,
        watch(alpha.hops.dial(URLS.two), RegistryApi.method.watch, create(WatchRequestSchema)),
      );
      await role("one").services.request(callerOf(one), serviceOf("shop"));
      await role("one").endpoints.request(callerOf(one), endpointOf("a"));
      await hosts.until(() => role("two").status().endpoints === 1);
      await role("two").endpoints.request(callerOf(two), endpointOf("b"));
      await role("two").endpoints.close(callerOf(two), endpointOf("a"));
      await hosts.clock.sleep(100);
      for (const name of ["one", "two"] as const) {
        assert.deepEqual(await found(await world(name), role(name)), ["b"]);
        assert.equal(role(name).status().services, 1);
      }
      assert.deepEqual(
        told.flatMap(({ endpoints, removedEndpoints }) => [
          ...endpoints.map((each) => each.name),
          ...removedEndpoints,
        ]),
        ["a", "b", "a"],
      );
    });
  });

  test("give a name to only one of two concurrent peers, and name the owner to the other", async () => {
    await withRegistries(async ({ hosts, role, world }) => {
      const asks = [
        { name: "one", peer: "tcp:10.0.0.1" },
        { name: "two", peer: "tcp:10.0.0.2" },
      ] as const;
      for (let round = 0; round < 10; round++) {
        const outcomes = await Promise.allSettled(
          asks.map(async ({ name, peer }) =>
            role(name).endpoints.request(callerOf(await world(name), peer), endpointOf(`e${round}`)),
          ),
        );
        const refused = outcomes.flatMap((outcome) =>
          outcome.status === "rejected" ? [outcome.reason as Error] : [],
        );
        assert.equal(refused.length, 1);
        assert.match(
          refused[0]?.message ?? "",
          /^register endpoint e\d of tcp:10\.0\.0\.[12] .*: it belongs to tcp:10\.0\.0\.[12] /,
        );
        assert.equal((refused[0] as Error & { code: string }).code, "PERMISSION_DENIED");
      }
      await hosts.clock.sleep(100);
      assert.equal(role("one").status().endpoints, 10);
    });
  });

  test("accept the same registration twice, and refuse a registration only if the store confirms the conflict", async () => {
    await withRegistries(async ({ role, world }) => {
      const [one, two] = [await world("one"), await world("two")];
      const peer = "tcp:10.0.0.1";
      await Promise.all([
        role("one").endpoints.request(callerOf(one, peer), endpointOf("a")),
        role("two").endpoints.request(callerOf(two, peer), endpointOf("a")),
        role("one").services.request(callerOf(one, peer), serviceOf("shop")),
        role("two").services.request(callerOf(two, "tcp:10.0.0.2"), serviceOf("shop")),
      ]);
      await role("one").endpoints.close(callerOf(one, peer), endpointOf("a"));
      // The other registry may not have seen yet that the name is free.
      await role("two").endpoints.request(callerOf(two, "tcp:10.0.0.2"), endpointOf("a"));
      assert.deepEqual(await found(two, role("two")), ["a"]);
    });
  });
});

suite("leases and hosts of two registries", () => {
  test("keep a host that calls either of them, and lose it when neither gets a call", async () => {
    await withRegistries(async ({ hosts, role, world }) => {
      const alpha = await hosts.world("alpha");
      const call = { scope: alpha.scope, deadlineMs: Infinity, outgoing: withLease({}, "alpha/1") };
      const { endpoints } = stationsOver(alpha.hops.dial(URLS.one), alpha.clock);
      for (const name of ["a", "b"]) await endpoints.request(call, endpointOf(name));
      for (const name of ["one", "two", "two", "two", "one"] as const) {
        await hosts.clock.sleep(LEASE_MS * 0.9);
        assert.equal(await keepAlive(alpha, name, "alpha/1"), 2);
      }
      const removed = gather(
        alpha,
        role("two").endpoints.find(callerOf(await world("two")), endpointQuery({}, true)),
      );
      await hosts.clock.sleep(LEASE_MS - 100);
      assert.equal(role("one").status().endpoints, 2);
      await hosts.clock.sleep(400);
      assert.deepEqual([role("one").status().endpoints, role("two").status().endpoints], [0, 0]);
      assert.equal(removed.filter(({ deleted }) => deleted).length, 2);
      await assert.rejects(keepAlive(alpha, "two", "alpha/1"), { code: "NOT_FOUND" });
    });
  });

  test("both know the name of a host that is registered at one of them", async () => {
    await withRegistries(async ({ hosts }) => {
      const alpha = await hosts.world("alpha");
      await keepAlive(alpha, "one", "alpha/1", "tcp://10.0.0.1:5001");
      await assert.rejects(keepAlive(alpha, "two", "other/1", "tcp://10.0.0.2:5001"), {
        code: "PERMISSION_DENIED",
        message: /there is another host alpha, at tcp:\/\/10\.0\.0\.1:5001/,
      });
      await keepAlive(alpha, "two", "alpha/2", "tcp://10.0.0.1:5001");
      await hosts.clock.sleep(LEASE_MS / 2);
      await keepAlive(alpha, "one", "alpha/2", "tcp://10.0.0.1:5001");
      await hosts.clock.sleep(LEASE_MS + 300);
      await keepAlive(alpha, "one", "other/1", "tcp://10.0.0.2:5001");
    });
  });

  test("report the expiration of an endpoint that the other registry keeps alive, and never a past time", async () => {
    await withRegistries(async ({ hosts, role, world }) => {
      const [one, two] = [await world("one"), await world("two")];
      await role("one").endpoints.request(callerOf(one), endpointOf("a"));
      for (let round = 0; round < 8; round++) {
        await hosts.clock.sleep(LEASE_MS / 3);
        await role("one").endpoints.request(callerOf(one), endpointOf("a"));
        const [answer] = await role("two").endpoints.find(callerOf(two), endpointQuery()).all();
        const expires = answer?.networkServiceEndpoint?.expirationTime;
        const leftMs = expires ? timestampMs(expires) - two.clock.wallMs() : 0;
        assert.ok(leftMs > -1000 && leftMs <= LEASE_MS, `${leftMs} ms`);
      }
    });
  });
});

suite("one of two registries", () => {
  test("stops: the other serves all entries, and the lease continues", async () => {
    await withRegistries(async ({ hosts, role, world }) => {
      const alpha = await hosts.world("alpha");
      const call = { scope: alpha.scope, deadlineMs: Infinity, outgoing: withLease({}, "alpha/1") };
      await stationsOver(alpha.hops.dial(URLS.one), alpha.clock).endpoints.request(call, endpointOf("a"));
      await hosts.clock.sleep(LEASE_MS / 2);
      hosts.simulation.crash("one");
      assert.deepEqual(await found(await world("two"), role("two")), ["a"]);
      await hosts.clock.sleep(LEASE_MS / 4);
      assert.equal(await keepAlive(alpha, "two", "alpha/1"), 1);
      hosts.simulation.restart("one");
      await hosts.clock.sleep(LEASE_MS - 200);
      assert.equal(role("one").status().endpoints, 1);
      await hosts.clock.sleep(500);
      assert.deepEqual([role("one").status().endpoints, role("two").status().endpoints], [0, 0]);
    });
  });

  test("that cannot reach the store refuses new entries with the reason, ends its watches, and still answers", async () => {
    const faults: Fault[] = [{ kind: "partition", hosts: ["one", STORE_HOST], atMs: 10_000, forMs: 30_000 }];
    await withRegistries(async ({ hosts, role, world }) => {
      const [one, two, alpha] = [await world("one"), await world("two"), await hosts.world("alpha")];
      await role("two").endpoints.request(callerOf(two), endpointOf("a"));
      await hosts.until(() => role("one").status().endpoints === 1);
      const changes = watch(alpha.hops.dial(URLS.one), RegistryApi.method.watch, create(WatchRequestSchema));
      await hosts.clock.sleep(11_000 - alpha.clock.monotonicMs());
      await assert.rejects(
        async () => {
          for (;;) await changes.take();
        },
        { code: "UNAVAILABLE", message: /does not reach its store/ },
      );
      await assert.rejects(role("one").endpoints.request(callerOf(one), endpointOf("b")), {
        code: "DEADLINE_EXCEEDED",
      });
      await assert.rejects(
        watch(alpha.hops.dial(URLS.one), RegistryApi.method.watch, create(WatchRequestSchema)).take(),
        { code: "UNAVAILABLE" },
      );
      assert.deepEqual(await found(one, role("one")), ["a"]);
      await role("two").endpoints.request(callerOf(two), endpointOf("c"));
      await hosts.clock.sleep(42_000 - alpha.clock.monotonicMs());
      assert.deepEqual(await found(one, role("one")), ["a", "c"]);
      const again = gather(
        alpha,
        watch(alpha.hops.dial(URLS.one), RegistryApi.method.watch, create(WatchRequestSchema)),
      );
      await hosts.until(() => again.some(({ synced }) => synced));
    }, faults);
  });
});
