import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { create } from "@bufbuild/protobuf";
import { LeaseSchema, Registry as RegistryApi, WatchRequestSchema } from "../api/gen/netloom/registry_pb.js";
import type { NetworkServiceEndpointResponse } from "../api/gen/nsm/registry_pb.js";
import { stationsOver } from "../api/hops.ts";
import { call, serveAll, watch } from "../api/rpc.ts";
import { labIdentity } from "../identity/lab-identity.ts";
import { withLease } from "../registry/leases/lease-metadata.ts";
import {
  callerOf,
  endpointOf,
  endpointQuery,
  gather,
  type Hosts,
  serviceOf,
  serviceQuery,
  withHosts,
} from "../../fixtures/registry/registry.ts";
import { type ErrorCode, NetloomError } from "../errors/errors.ts";
import type { HostWorld } from "../world/world.ts";
import type { PutOptions, Store } from "../world/store.ts";
import { registry, type Registry, type RegistryOptions } from "./registry.ts";

const URL = "tcp://10.0.0.9:5002";

interface Setting {
  readonly hosts: Hosts;
  readonly world: HostWorld;
  readonly role: Registry;
}

/** One host that is the registry, and one that queries it. */
async function withRegistry(
  body: (setting: Setting) => Promise<void>,
  {
    store,
    ...options
  }: Partial<Omit<RegistryOptions, "store">> & { readonly store?: (store: Store) => Store } = {},
): Promise<void> {
  let role: Registry | undefined;
  const program = async (world: HostWorld): Promise<void> => {
    role = await registry({
      world,
      store: world.store,
      name: "registry",
      identity: labIdentity(world),
      ...options,
    });
    await world.hops.serve(URL, serveAll(role.served));
  };
  await withHosts(
    { registry: program, alpha: () => Promise.resolve() },
    async (hosts) => {
      const world = await hosts.world("registry");
      await hosts.until(() => role !== undefined);
      assert.ok(role);
      await body({ hosts, world, role });
    },
    store ? { store } : {},
  );
}

const names = (answers: readonly NetworkServiceEndpointResponse[]): string[] =>
  answers.map(
    ({ networkServiceEndpoint, deleted }) => `${deleted ? "-" : ""}${networkServiceEndpoint?.name}`,
  );

const refuses = (code: ErrorCode, promise: Promise<unknown>): Promise<void> =>
  assert.rejects(promise, { code });

suite("register", () => {
  test("an endpoint gets the lease's expiration and keeps its registration time through refreshes", async () => {
    await withRegistry(async ({ world, role }) => {
      const startMs = world.clock.wallMs();
      const first = await role.endpoints.request(callerOf(world), endpointOf("a"));
      assert.ok(first.expirationTime && first.initialRegistrationTime);
      assert.ok(Math.abs(timestampMs(first.expirationTime) - startMs - 60_000) < 100);
      await world.clock.sleep(40_000);
      const again = await role.endpoints.request(callerOf(world), endpointOf("a"));
      assert.deepEqual(again.initialRegistrationTime, first.initialRegistrationTime);
      assert.ok(again.expirationTime && timestampMs(again.expirationTime) - startMs > 99_000);
      const [found] = await role.endpoints.find(callerOf(world), endpointQuery({ name: "a" })).all();
      assert.deepEqual(found?.networkServiceEndpoint, again);
    });
  });

  test("an endpoint may request less than the lease, but no past time", async () => {
    await withRegistry(async ({ world, role }) => {
      const expirationTime = timestampFromMs(world.clock.wallMs() + 5000);
      await role.endpoints.request(callerOf(world), endpointOf("a", { expirationTime }));
      await world.clock.sleep(5200);
      assert.deepEqual(names(await role.endpoints.find(callerOf(world), endpointQuery()).all()), []);
      const past = timestampFromMs(world.clock.wallMs() - 1000);
      await refuses(
        "INVALID_ARGUMENT",
        role.endpoints.request(callerOf(world), endpointOf("a", { expirationTime: past })),
      );
      assert.equal(role.status().endpoints, 0);
    });
  });

  test("a service without payload carries IP, and exists until it is unregistered", async () => {
    await withRegistry(async ({ world, role }) => {
      await role.services.request(callerOf(world), serviceOf("shop"));
      await world.clock.sleep(1e6);
      const [found] = await role.services.find(callerOf(world), serviceQuery({ name: "shop" })).all();
      assert.equal(found?.networkService?.payload, "IP");
      await role.services.close(callerOf(world), serviceOf("shop"));
      assert.deepEqual(await role.services.find(callerOf(world), serviceQuery()).all(), []);
    });
  });

  test("names that are empty, too long or of another domain, and entries that are too large, are refused", async () => {
    await withRegistry(async ({ world, role }) => {
      const request = (name: string, init = {}) =>
        role.endpoints.request(callerOf(world), endpointOf(name, init));
      await refuses("INVALID_ARGUMENT", request(""));
      await refuses("INVALID_ARGUMENT", request("x".repeat(2000)));
      await refuses("UNIMPLEMENTED", request("a@other"));
      await refuses("INVALID_ARGUMENT", request("a", { networkServiceNames: ["x".repeat(70_000)] }));
      await refuses(
        "INVALID_ARGUMENT",
        role.endpoints.request(callerOf(world, "tcp:1", { path: "{" }), endpointOf("a")),
      );
      await refuses("INVALID_ARGUMENT", role.services.request(callerOf(world), serviceOf("")));
      assert.deepEqual(role.status(), { services: 0, endpoints: 0, watchers: 0 });
    });
  });
});

suite("names", () => {
  test("a name belongs to the peer that registered it, until it is free again", async () => {
    await withRegistry(async ({ world, role }) => {
      const [one, other] = [callerOf(world, "tcp:10.0.0.1"), callerOf(world, "tcp:10.0.0.2")];
      await role.endpoints.request(one, endpointOf("a"));
      await assert.rejects(role.endpoints.request(other, endpointOf("a", { url: "tcp://10.0.0.2:5001" })), {
        code: "PERMISSION_DENIED",
        message:
          /^register endpoint a of tcp:10\.0\.0\.2 \(tcp:\/\/10\.0\.0\.2:5001\): it belongs to tcp:10\.0\.0\.1 \(tcp:/,
        hint: /two hosts of one name/,
      });
      await refuses("PERMISSION_DENIED", role.endpoints.close(other, endpointOf("a")));
      await role.endpoints.close(one, endpointOf("a"));
      await role.endpoints.request(other, endpointOf("a"));
    });
  });

  test("two hosts may register the same service content, and only its owner may change it", async () => {
    await withRegistry(async ({ world, role }) => {
      const [one, other] = [callerOf(world, "tcp:10.0.0.1"), callerOf(world, "tcp:10.0.0.2")];
      await role.services.request(one, serviceOf("shop"));
      await role.services.request(other, serviceOf("shop", { payload: "IP" }));
      await refuses(
        "PERMISSION_DENIED",
        role.services.request(other, serviceOf("shop", { payload: "ETHERNET" })),
      );
      await refuses("PERMISSION_DENIED", role.services.close(other, serviceOf("shop")));
    });
  });

  test("another host may add matches to a service without matches, and then owns the service", async () => {
    await withRegistry(async ({ world, role }) => {
      const [offers, describes] = [callerOf(world, "tcp:10.0.0.1"), callerOf(world, "tcp:10.0.0.2")];
      const described = serviceOf("shop", { matches: [{ routes: [{ destinationSelector: { app: "a" } }] }] });
      await role.services.request(offers, serviceOf("shop"));
      await role.services.request(describes, described);
      await refuses("PERMISSION_DENIED", role.services.request(offers, serviceOf("shop")));
      await refuses("PERMISSION_DENIED", role.services.close(offers, serviceOf("shop")));
      await role.services.close(describes, described);
    });
  });

  test("unregistering an unknown name succeeds", async () => {
    await withRegistry(async ({ world, role }) => {
      await role.endpoints.close(callerOf(world), endpointOf("a"));
      await role.services.close(callerOf(world), serviceOf("a"));
    });
  });

  test("100 registrations of one name at once make one write and one event", async () => {
    let puts = 0;
    const store = (inner: Store): Store => ({
      ...storeOf(inner),
      put: (key, value, options) => {
        puts += 1;
        return inner.put(key, value, options);
      },
    });
    await withRegistry(
      async ({ world, role }) => {
        const told = gather(world, watchOurs(role, world));
        const answers = await Promise.all(
          Array.from({ length: 100 }, () => role.endpoints.request(callerOf(world), endpointOf("a"))),
        );
        assert.equal(
          new Set(answers.map(({ initialRegistrationTime }) => initialRegistrationTime?.seconds)).size,
          1,
        );
        await world.clock.sleep(10);
        assert.equal(puts, 1);
        assert.deepEqual(
          told.flatMap(({ endpoints }) => endpoints.map(({ name }) => name)),
          ["a"],
        );
      },
      { store },
    );
  });
});

suite("find", () => {
  test("name, services and labels match exactly, the URL as a substring", async () => {
    await withRegistry(async ({ world, role }) => {
      const labels = { shop: { labels: { color: "green", zone: "a" } } };
      await role.endpoints.request(callerOf(world), endpointOf("a", { networkServiceLabels: labels }));
      await role.endpoints.request(
        callerOf(world),
        endpointOf("b", { networkServiceNames: ["shop", "bank"] }),
      );
      await role.endpoints.request(
        callerOf(world),
        endpointOf("c", { url: "tcp://10.0.0.2:5001", networkServiceNames: [] }),
      );
      const find = async (like: Parameters<typeof endpointQuery>[0]) =>
        names(await role.endpoints.find(callerOf(world), endpointQuery(like)).all());
      assert.deepEqual(await find({}), ["a", "b", "c"]);
      assert.deepEqual(await find({ name: "b" }), ["b"]);
      assert.deepEqual(await find({ name: "b", url: "10.0.0.2" }), []);
      assert.deepEqual(await find({ networkServiceNames: ["shop"] }), ["a", "b"]);
      assert.deepEqual(await find({ networkServiceNames: ["shop", "bank"] }), ["b"]);
      assert.deepEqual(await find({ networkServiceLabels: { shop: { labels: { color: "green" } } } }), ["a"]);
      assert.deepEqual(await find({ url: "tcp://10.0.0" }), ["a", "b", "c"]);
      assert.deepEqual(await find({ url: "10.0.0.2:5001" }), ["c"]);
    });
  });

  test("a watch of NSM's contract reports every refresh, a watch of Netloom's only changes", async () => {
    await withRegistry(async ({ world, role }) => {
      const contract = gather(
        world,
        role.endpoints.find(callerOf(world), endpointQuery({ networkServiceNames: ["shop"] }, true)),
      );
      const ours = gather(world, watchOurs(role, world));
      for (let n = 0; n < 3; n++) {
        await role.endpoints.request(callerOf(world), endpointOf("a"));
        await world.clock.sleep(10);
      }
      await role.endpoints.request(callerOf(world), endpointOf("a", { url: "tcp://10.0.0.3:5001" }));
      await role.endpoints.request(callerOf(world), endpointOf("b", { networkServiceNames: ["bank"] }));
      await world.clock.sleep(10);
      await role.endpoints.close(callerOf(world), endpointOf("a"));
      await world.clock.sleep(10);
      assert.deepEqual(names(contract), ["a", "a", "a", "a", "-a"]);
      assert.equal(contract.at(-1)?.networkServiceEndpoint?.url, "tcp://10.0.0.3:5001", "the full entity");
      const expirations = contract
        .slice(0, 3)
        .map((each) => each.networkServiceEndpoint?.expirationTime?.nanos);
      assert.equal(new Set(expirations).size, 3);
      assert.deepEqual(
        ours.flatMap(({ endpoints }) => endpoints.map(({ name }) => name)),
        ["a", "a", "b"],
      );
      assert.deepEqual(
        ours.flatMap(({ removedEndpoints }) => removedEndpoints),
        ["a"],
      );
    });
  });

  test("answers over the network equal answers in the process, with expiration and deletion", async () => {
    await withRegistry(async ({ world, role, hosts }) => {
      const alpha = await hosts.world("alpha");
      const { endpoints } = stationsOver(alpha.hops.dial(URL), alpha.clock);
      const call = { scope: alpha.scope, deadlineMs: Infinity };
      const told = gather(alpha, endpoints.find(call, endpointQuery({ name: "a" }, true)));
      await alpha.clock.sleep(50);
      const given = await role.endpoints.request(callerOf(world), endpointOf("a"));
      const [found] = await endpoints.find(call, endpointQuery({ url: "10.0.0.1" })).all();
      assert.deepEqual(found?.networkServiceEndpoint, given);
      await role.endpoints.close(callerOf(world), endpointOf("a"));
      await alpha.clock.sleep(50);
      assert.deepEqual(names(told), ["a", "-a"]);
      assert.equal(told[1]?.networkServiceEndpoint?.url, "tcp://10.0.0.1:5001");
    });
  });
});

suite("watch", () => {
  test("a watcher that does not read is cut off with a reason, and others are not held up", async () => {
    await withRegistry(async ({ world, role }) => {
      const stuck = role.endpoints.find(callerOf(world), endpointQuery({}, true));
      const quick = gather(world, role.endpoints.find(callerOf(world), endpointQuery({}, true)));
      for (let n = 0; n < 1100; n++) await role.endpoints.request(callerOf(world), endpointOf(`e${n}`));
      await world.clock.sleep(10);
      assert.equal(quick.length, 1100);
      await assert.rejects(stuck.take(), {
        code: "RESOURCE_EXHAUSTED",
        message: "watch endpoints: more than 1024 changes wait to be read",
      });
      stuck.close();
      assert.equal(role.status().watchers, 1);
    });
  });

  test("the number of open watches is limited", async () => {
    await withRegistry(
      async ({ world, role }) => {
        const open = () => role.endpoints.find(callerOf(world), endpointQuery({}, true));
        const [first] = [open(), open()];
        assert.throws(open, { code: "RESOURCE_EXHAUSTED" });
        first?.close();
        open();
      },
      { maxWatchers: 2 },
    );
  });
});

suite("leases", () => {
  test("an endpoint that is not refreshed is gone after its lease, and watchers are notified", async () => {
    await withRegistry(async ({ world, role }) => {
      const told = gather(world, role.endpoints.find(callerOf(world), endpointQuery({}, true)));
      await role.endpoints.request(callerOf(world), endpointOf("a"));
      await role.endpoints.request(callerOf(world), endpointOf("b"));
      await world.clock.sleep(50_000);
      await role.endpoints.request(callerOf(world), endpointOf("b"));
      await world.clock.sleep(10_500);
      assert.deepEqual(names(told), ["a", "b", "b", "-a"]);
      assert.deepEqual(
        (await world.store.list("endpoints/")).entries.map(({ key }) => key),
        ["endpoints/b"],
      );
    });
  });

  test("one call keeps all endpoints of a host alive, and only their owner can make it", async () => {
    await withRegistry(async ({ world, role, hosts }) => {
      const alpha = await hosts.world("alpha");
      const hop = alpha.hops.dial(URL);
      const keepAlive = (name: string) =>
        call(hop, RegistryApi.method.keepAlive, create(LeaseSchema, { name }), { timeoutMs: 1000 });
      const { endpoints } = stationsOver(hop, alpha.clock);
      const leased = { scope: alpha.scope, deadlineMs: Infinity, outgoing: withLease({}, "alpha/1") };
      for (const name of ["a", "b", "c"]) await endpoints.request(leased, endpointOf(name));
      await role.endpoints.request(callerOf(world, "tcp:other", withLease({}, "alpha/1")), endpointOf("d"));
      const ours = gather(world, watchOurs(role, world));
      for (let n = 0; n < 4; n++) {
        await alpha.clock.sleep(30_000);
        assert.equal((await keepAlive("alpha/1")).endpoints, 3);
      }
      await refuses("NOT_FOUND", keepAlive("alpha/2"));
      assert.deepEqual(names(await role.endpoints.find(callerOf(world), endpointQuery()).all()), [
        "a",
        "b",
        "c",
      ]);
      assert.deepEqual(
        ours.flatMap(({ removedEndpoints }) => removedEndpoints),
        ["d"],
      );
      await alpha.clock.sleep(61_000);
      assert.equal(role.status().endpoints, 0);
      await refuses("NOT_FOUND", keepAlive("alpha/1"));
    });
  });

  test("after a restart entries are served at once, and live for one lease", async () => {
    await withRegistry(async ({ hosts }) => {
      const alpha = await hosts.world("alpha");
      const { endpoints } = stationsOver(alpha.hops.dial(URL), alpha.clock);
      const call = { scope: alpha.scope, deadlineMs: Infinity };
      await endpoints.request(call, endpointOf("a"));
      await endpoints.request({ ...call, outgoing: withLease({}, "alpha/1") }, endpointOf("b"));
      await alpha.clock.sleep(59_000);
      hosts.simulation.crash("registry");
      hosts.simulation.restart("registry");
      await alpha.clock.sleep(100);
      const find = async () => names(await endpoints.find(call, endpointQuery()).all());
      assert.deepEqual(await find(), ["a", "b"]);
      await alpha.clock.sleep(50_000);
      await endpoints.request(call, endpointOf("a"));
      await alpha.clock.sleep(11_000);
      assert.deepEqual(await find(), ["a"]);
    });
  });
});

suite("a full store", () => {
  const full = { isFull: false };
  const store = (inner: Store): Store => {
    const check = async (): Promise<void> => {
      if (full.isFull) throw new NetloomError("RESOURCE_EXHAUSTED", "write to the store: the disk is full");
    };
    return {
      ...storeOf(inner),
      put: async (key: string, value: Uint8Array, options?: PutOptions) => {
        await check();
        return await inner.put(key, value, options);
      },
      delete: async (key, options) => {
        await check();
        return await inner.delete(key, options);
      },
    };
  };

  test("refuses new entries, answers queries, lets entries expire, and accepts new ones when it has space again", async () => {
    await withRegistry(
      async ({ world, role }) => {
        await role.endpoints.request(callerOf(world), endpointOf("a"));
        full.isFull = true;
        await refuses("RESOURCE_EXHAUSTED", role.endpoints.request(callerOf(world), endpointOf("b")));
        await refuses("RESOURCE_EXHAUSTED", role.endpoints.close(callerOf(world), endpointOf("a")));
        await role.endpoints.request(callerOf(world), endpointOf("a"));
        const find = async () => names(await role.endpoints.find(callerOf(world), endpointQuery()).all());
        assert.deepEqual(await find(), ["a"]);
        await world.clock.sleep(61_000);
        assert.deepEqual(await find(), []);
        assert.equal((await world.store.list("endpoints/")).entries.length, 0);
        full.isFull = false;
        await role.endpoints.request(callerOf(world), endpointOf("b"));
        assert.deepEqual(await find(), ["b"]);
      },
      { store },
    );
  });
});

/** The methods of a store as properties. */
function storeOf(store: Store): Store {
  return {
    get: (key) => store.get(key),
    list: (prefix) => store.list(prefix),
    put: (key, value, options) => store.put(key, value, options),
    delete: (key, options) => store.delete(key, options),
    keepAlive: (lease) => store.keepAlive(lease),
    watch: (prefix, revision) => store.watch(prefix, revision),
  };
}

/** netloom.registry.v1.Registry/Watch, without a network. */
function watchOurs(role: Registry, world: HostWorld) {
  const handler = serveAll(role.served);
  const caller = callerOf(world);
  return watch(
    {
      watch: (method, request) =>
        handler.watch({ ...request, method, peer: caller.peer, scope: caller.scope, deadlineMs: Infinity }),
    },
    RegistryApi.method.watch,
    create(WatchRequestSchema),
  );
}
