/** The answers of a registry to two hosts with the same name. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  LeaseSchema,
  type LeaseState,
  LeaseStateSchema,
  Registry as RegistryApi,
} from "../api/gen/netloom/registry_pb.js";
import { serveAll } from "../api/rpc.ts";
import { labIdentity } from "../identity/lab-identity.ts";
import { withHost } from "../registry/names/host-names.ts";
import { withLease } from "../registry/leases/lease-metadata.ts";
import { callerOf, endpointOf, endpointQuery, withHosts } from "../../fixtures/registry/registry.ts";
import { NetloomError } from "../errors/errors.ts";
import type { HostWorld } from "../world/world.ts";
import type { Metadata } from "../world/hops.ts";
import { registry, type Registry } from "./registry.ts";

const LEASE_MS = 60_000;

/** A host as its agent calls the registry. */
interface Caller {
  readonly peer: string;
  readonly url: string;
  /** The lease of one run of the agent. */
  readonly lease: string;
}

const FIRST: Caller = { peer: "tcp:10.0.0.1", url: "tcp://10.0.0.1:5001", lease: "manager-alpha/1" };
const SECOND: Caller = { peer: "tcp:10.0.0.2", url: "tcp://10.0.0.2:5001", lease: "manager-alpha/2" };

const REFUSAL =
  "take host alpha at tcp://10.0.0.2:5001 (peer tcp:10.0.0.2) into the mesh: there is another host alpha, at tcp://10.0.0.1:5001 (peer tcp:10.0.0.1)";

class Door {
  role: Registry | undefined;
  world: HostWorld | undefined;

  get #up(): { readonly role: Registry; readonly world: HostWorld } {
    const { role, world } = this;
    assert.ok(role && world);
    return { role, world };
  }

  async open(world: HostWorld): Promise<void> {
    this.role = await registry({
      world,
      store: world.store,
      name: "registry",
      identity: labIdentity(world),
    });
    this.world = world;
  }

  async register(name: string, { peer, url, lease }: Caller): Promise<void> {
    const { role, world } = this.#up;
    const metadata = withHost(withLease({}, lease), { name: "alpha", url });
    await role.endpoints.request(callerOf(world, peer, metadata), endpointOf(name, { url }));
  }

  async keepAlive({ peer, url, lease }: Caller, name = "alpha"): Promise<LeaseState> {
    return await this.keepAliveWith(peer, lease, withHost({}, { name, url }));
  }

  async keepAliveWith(peer: string, lease: string, metadata: Metadata): Promise<LeaseState> {
    const { role, world } = this.#up;
    const { name, parent } = RegistryApi.method.keepAlive;
    const bytes = toBinary(LeaseSchema, create(LeaseSchema, { name: lease }));
    const method = `/${parent.typeName}/${name}`;
    const call = { ...callerOf(world, peer, metadata), metadata, bytes, method };
    return fromBinary(LeaseStateSchema, (await serveAll(role.served).call(call)).bytes);
  }

  async found(): Promise<string[]> {
    const { role, world } = this.#up;
    const answers = await role.endpoints.find(callerOf(world), endpointQuery()).all();
    return answers.map(({ networkServiceEndpoint: found }) => `${found?.name} ${found?.url}`);
  }
}

interface Setting {
  readonly door: Door;
  readonly sleep: (durationMs: number) => Promise<void>;
  readonly restart: () => Promise<void>;
}

async function withDoor(body: (setting: Setting) => Promise<void>): Promise<void> {
  const door = new Door();
  await withHosts({ registry: (world) => door.open(world) }, async ({ until, clock, simulation }) => {
    await until(() => door.role !== undefined);
    const restart = async (): Promise<void> => {
      simulation.crash("registry");
      door.role = undefined;
      simulation.restart("registry");
      await until(() => door.role !== undefined);
    };
    await body({ door, restart, sleep: (durationMs) => clock.sleep(durationMs) });
  });
}

async function refused(call: Promise<unknown>): Promise<void> {
  await assert.rejects(call, (error) => {
    assert.ok(error instanceof NetloomError, String(error));
    assert.deepEqual([error.code, error.topic, error.message], ["PERMISSION_DENIED", "NL-305", REFUSAL]);
    assert.match(error.hint ?? "", /`netloom agent --name`.* 60 s after its last sign of life/);
    return true;
  });
}

suite("a host's name", () => {
  test("is refused to a second host while the first one runs, the error names both, and the first keeps its entries", async () => {
    await withDoor(async ({ door, sleep }) => {
      await door.register("a", FIRST);
      await refused(door.register("b", SECOND));
      await refused(door.keepAlive(SECOND));
      for (let n = 0; n < 4; n++) {
        await sleep(LEASE_MS / 2);
        assert.equal((await door.keepAlive(FIRST)).endpoints, 1);
        await refused(door.keepAlive(SECOND));
      }
      assert.deepEqual(await door.found(), ["a tcp://10.0.0.1:5001"]);
      assert.equal((await door.keepAlive(SECOND, "beta")).endpoints, 0, "with a name of its own");
    });
  });

  test("is free for another host one lease after the first host's last call, and then it is refused to the first host", async () => {
    await withDoor(async ({ door, sleep }) => {
      await door.register("a", FIRST);
      await sleep(LEASE_MS - 1000);
      await refused(door.keepAlive(SECOND));
      await sleep(1200);
      await door.register("a", SECOND);
      assert.deepEqual(await door.found(), ["a tcp://10.0.0.2:5001"]);
      await assert.rejects(door.keepAlive(FIRST), { code: "PERMISSION_DENIED", message: /10\.0\.0\.2:5001/ });
    });
  });

  test("stays with the same host when it restarts, also from another of its addresses", async () => {
    await withDoor(async ({ door }) => {
      await door.register("a", FIRST);
      await door.keepAlive({ ...FIRST, lease: "manager-alpha/9" });
      await door.register("a", { ...FIRST, lease: "manager-alpha/9" });
      await door.keepAlive({ ...FIRST, lease: "manager-alpha/10", peer: "tcp:10.0.7.1" });
    });
  });

  test("belongs to a host without endpoints too", async () => {
    await withDoor(async ({ door, sleep }) => {
      for (let n = 0; n < 4; n++) {
        assert.equal((await door.keepAlive(FIRST)).endpoints, 0);
        await sleep(LEASE_MS / 2);
        await refused(door.register("b", SECOND));
      }
      await sleep(LEASE_MS / 2 + 200);
      await door.register("b", SECOND);
    });
  });

  test("is restored from the entries after a restart of the registry", async () => {
    await withDoor(async ({ door, restart, sleep }) => {
      await door.register("a", FIRST);
      await restart();
      await refused(door.keepAlive(SECOND));
      await door.keepAlive(FIRST);
      assert.deepEqual(await door.found(), ["a tcp://10.0.0.1:5001"]);
      await sleep(LEASE_MS + 200);
      await door.keepAlive(SECOND);
    });
  });

  test("is optional for an agent, and refused if malformed", async () => {
    await withDoor(async ({ door }) => {
      await door.register("a", FIRST);
      await assert.rejects(door.keepAliveWith("tcp:10.0.0.3", "manager-alpha/3", {}), { code: "NOT_FOUND" });
      for (const text of ["alpha", " tcp://10.0.0.3:5001", "alpha %", `alpha tcp://${"x".repeat(2000)}`]) {
        const call = door.keepAliveWith("tcp:10.0.0.3", "manager-alpha/3", { "netloom-host": text });
        await assert.rejects(call, { code: "INVALID_ARGUMENT" }, text);
      }
    });
  });

  test("is kept for a limited number of hosts of one peer", async () => {
    await withDoor(async ({ door }) => {
      const take = (n: number) => door.keepAlive({ ...FIRST, url: `tcp://10.0.0.1:${n}` }, `host-${n}`);
      for (let n = 0; n < 1024; n++) await take(n);
      await assert.rejects(take(1024), { code: "RESOURCE_EXHAUSTED" });
      await take(3);
      await door.keepAlive(SECOND);
    });
  });
});
