/**
 * Messages may be lost, late, repeated or cut off, disks may be full, and processes may be killed. After the faults the
 * registry has exactly the entries that the hosts want, and every host has all of them.
 */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { serveAll } from "../api/rpc.ts";
import { SELF } from "../world/peer.ts";
import { labIdentity } from "../identity/lab-identity.ts";
import { callerOf, endpointOf, endpointQuery, withHosts } from "../../fixtures/registry/registry.ts";
import { drawFaults, STORE_HOST } from "../sim/faults.ts";
import { SimRandom } from "../sim/random.ts";
import { NetloomError } from "../errors/errors.ts";
import type { HostWorld } from "../world/world.ts";
import { managerRegistry, type ManagerRegistry } from "./manager-registry.ts";
import { registry, type Registry } from "./registry.ts";

const SEEDS = Number(process.env["SEEDS"] ?? 40);
const FIRST = Number(process.env["FIRST_SEED"] ?? 1);
const URL = "tcp://10.0.0.9:5002";
const AGENTS = ["alpha", "beta", "gamma"];
const FAULTS_MS = 20_000;
/** Long enough for lost entries to expire, and for the longest back-off. */
const QUIET_MS = 200_000;

interface Wanted {
  readonly wanted: Map<string, Set<string>>;
}

/** A host that registers wanted endpoints and closes others, and retries until all calls succeed. */
function agent(host: string, { wanted }: Wanted, managers: Map<string, ManagerRegistry>) {
  return async (world: HostWorld): Promise<void> => {
    const url = `tcp://${host}:5001`;
    const identity = labIdentity(world);
    const manager = await managerRegistry({
      world,
      name: `manager-${host}`,
      identity,
      url,
      hops: world.hops,
      disk: world.disk,
      registry: world.hops.dial(URL),
    });
    managers.set(host, manager);
    const registered = new Set<string>();
    const attempt = async (call: () => Promise<unknown>): Promise<boolean> => {
      try {
        await call();
        return true;
      } catch (error) {
        if (!(error instanceof NetloomError)) throw error;
        return false;
      }
    };
    const endpointNamed = (name: string) => endpointOf(name, { url: `self:${name}` });
    world.scope.spawn("operate", async (scope) => {
      for (;;) {
        const caller = () => ({
          ...callerOf(world),
          scope,
          peer: SELF,
          deadlineMs: world.clock.monotonicMs() + 2000,
        });
        for (const name of wanted.get(host) ?? []) {
          if (registered.has(name)) continue;
          if (await attempt(() => manager.endpoints.request(caller(), endpointNamed(name))))
            registered.add(name);
        }
        for (const name of registered) {
          if (wanted.get(host)?.has(name)) continue;
          registered.delete(name);
          await attempt(() => manager.endpoints.close(caller(), endpointNamed(name)));
        }
        await world.clock.sleep(300, scope);
      }
    });
  };
}

async function run(seed: string): Promise<void> {
  const plan: Wanted = { wanted: new Map(AGENTS.map((host) => [host, new Set()])) };
  const managers = new Map<string, ManagerRegistry>();
  const now: { registry?: Registry } = {};
  const serve = async (world: HostWorld): Promise<void> => {
    // If the store cannot be reached at the start, the registry is started again, as systemd would do.
    for (;;) {
      try {
        now.registry = await registry({
          world,
          store: world.store,
          name: "registry",
          identity: labIdentity(world),
        });
        break;
      } catch (error) {
        if (!(error instanceof NetloomError)) throw error;
        await world.clock.sleep(500);
      }
    }
    await world.hops.serve(URL, serveAll(now.registry.served));
  };
  const programs = Object.fromEntries(AGENTS.map((host) => [host, agent(host, plan, managers)]));
  const hosts = [...AGENTS, "registry", STORE_HOST];
  const faults = drawFaults({ seed, hosts, durationMs: FAULTS_MS, count: 25 }).filter(
    (fault) =>
      fault.kind !== "kernel" &&
      !(fault.kind === "crash" && fault.host === STORE_HOST) &&
      !(fault.kind === "clock" && fault.host === STORE_HOST),
  );
  // A cut that is longer than a lease.
  const cut = AGENTS[Number(seed) % AGENTS.length] ?? "";
  faults.push({ kind: "partition", hosts: [cut, "registry"], atMs: FAULTS_MS / 2, forMs: 90_000 });
  await withHosts(
    { ...programs, registry: serve },
    async ({ clock, world: hostWorld }) => {
      const random = new SimRandom(seed, "plan");
      for (let step = 0; step < 40; step++) {
        const host = AGENTS[Math.floor(random.fraction("host", step) * AGENTS.length)] ?? "";
        const name = `${host}-${Math.floor(random.fraction("name", step) * 6)}`;
        const wanted = plan.wanted.get(host);
        if (!wanted?.delete(name)) wanted?.add(name);
        await clock.sleep((FAULTS_MS * random.fraction("pause", step)) / 20);
      }
      await clock.sleep(QUIET_MS);
      const wanted = [...plan.wanted.values()].flatMap((names) => [...names]).sort();
      for (const host of AGENTS) {
        const manager = managers.get(host);
        assert.ok(manager);
        assert.equal(manager.view().state, "fresh", `${host}: ${manager.view().reason}`);
        const caller = { scope: (await hostWorld(host)).scope, deadlineMs: Infinity, peer: SELF };
        const found = await manager.endpoints.find(caller, endpointQuery()).all();
        assert.deepEqual(
          found.map(({ networkServiceEndpoint }) => networkServiceEndpoint?.name ?? "").sort(),
          wanted,
          host,
        );
      }
      assert.equal(now.registry?.status().endpoints, wanted.length);
      const { entries } = await insistently(async () =>
        (await hostWorld("registry")).store.list("endpoints/"),
      );
      assert.deepEqual(
        entries.map(({ key }) => key.slice("endpoints/".length)),
        wanted,
        "in the store",
      );
    },
    { seed, faults },
  );
}

/** Retries a call: a fault may affect a late message. */
async function insistently<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof NetloomError)) throw error;
    }
  }
}

suite("after the faults the registry has exactly the wanted entries", () => {
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++) test(`with seed ${seed}`, () => run(String(seed)));
});
