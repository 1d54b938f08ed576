/**
 * Netloom's roles in an upstream mesh.
 *
 * ```
 *  alpha 10.8.0.1 ──────────────────── beta 10.8.0.2
 *    registry :5002 (upstream's)
 *    Netloom's agent, or upstream's manager :5001 with Netloom's forwarder    the same
 *    web:  peer client                   db: peer endpoint
 *    shop: peer endpoint
 * ```
 *
 * A service chain: Netloom's function in alpha/shop asks the manager of either host for the next wire.
 */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import { ConnectionSchema } from "../src/api/gen/nsm/connection_pb.js";
import { farAddressesOf } from "../src/elements/path/path-hosts.ts";
import { wiresBehind } from "../src/elements/wires/wire-id.ts";
import {
  ADDRESSES,
  agentOf,
  ask,
  assertBothWays,
  close,
  type HostName,
  LAB,
  namesOf,
  offer,
  REGISTRY,
  startClient,
  urlOf,
} from "./shop.ts";
import { bare, Bed } from "./bed.ts";
import { needsPeer, Stranger } from "./stranger.ts";

const skip = needsPeer;

async function withRegistryOfUpstream(t: TestContext, leaseMs = 60_000): Promise<Bed> {
  const bed = await Bed.open(t, LAB);
  await Stranger.start(t, {
    role: "registry",
    netns: bed.nameOf("alpha"),
    listen: REGISTRY,
    "lease-ms": leaseMs,
  });
  return bed;
}

/** Starts upstream's manager with Netloom's forwarder. */
async function mixedHost(t: TestContext, bed: Bed, host: HostName): Promise<void> {
  const url = urlOf(host);
  await Stranger.start(t, {
    role: "manager",
    netns: bed.nameOf(host),
    name: `nsmgr-${host}`,
    listen: `${bed.socket(host)},${url}`,
    connect: REGISTRY,
    url,
  });
  await bed.host({
    host,
    address: ADDRESSES[host],
    forwarder: { listen: bed.socket(`forwarder-${host}`), manager: bed.socket(host) },
  });
}

test("Netloom's agents work with an upstream registry, and stay registered at it", { skip }, async (t) => {
  const bed = await withRegistryOfUpstream(t, 20_000);
  await bed.host(agentOf(bed, "alpha"));
  await bed.host(agentOf(bed, "beta"));
  await offer(t, bed, { place: "alpha/shop", service: "shop" });
  await offer(t, bed, { place: "beta/db", service: "db", prefix: "172.16.1.0/24" });
  const nsc = await startClient(t, bed);
  const near = await ask(nsc, "shop");
  await assertBothWays(bed, near, "alpha/shop");
  // Longer than the registry keeps an entry whose registration request had a time limit of 15 s.
  await new Promise((resolve) => setTimeout(resolve, 7_000));
  const far = await ask(nsc, "db");
  await assertBothWays(bed, far, "beta/db");
  await nsc.ask("close", [ConnectionSchema, near], EmptySchema);
  await close(bed, nsc, far);
});

for (const [where, place, path] of [
  ["on its host", "alpha/shop", ["nsc-1", "nsmgr-alpha", "forwarder-alpha", "shop-1"]],
  [
    "on another host",
    "beta/db",
    ["nsc-1", "nsmgr-alpha", "forwarder-alpha", "nsmgr-beta", "forwarder-beta", "shop-1"],
  ],
] as const) {
  test(
    `Netloom's forwarders make the wires of upstream's managers, to an endpoint ${where}`,
    { skip },
    async (t) => {
      const bed = await withRegistryOfUpstream(t);
      await mixedHost(t, bed, "alpha");
      await mixedHost(t, bed, "beta");
      await offer(t, bed, { place, service: "shop" });
      const nsc = await startClient(t, bed, { "lifetime-ms": 600_000 });
      const connection = await ask(nsc, "shop");
      assert.deepEqual(namesOf(connection), path);
      await assertBothWays(bed, connection, place);
      await close(bed, nsc, connection);
    },
  );
}

const CHAIN = {
  name: "shop",
  payload: "ETHERNET",
  matches: [
    { sourceSelector: { app: "firewall" }, routes: [{ destinationSelector: { app: "shop" } }] },
    { routes: [{ destinationSelector: { app: "firewall" } }] },
  ],
};

/**
 * Starts the function, which asks over TCP: on a Unix socket upstream's managers wait for the files of the workload,
 * and Node.js cannot pass them.
 */
async function startFirewall(bed: Bed, asks: HostName): Promise<void> {
  await bed.host({
    host: "alpha",
    address: ADDRESSES.alpha,
    middle: {
      listen: bed.socket("firewall"),
      manager: bed.socket("alpha"),
      asks: urlOf(asks),
      netns: bed.netnsOf("alpha/shop"),
      pool: "172.17.0.0/24",
      service: CHAIN,
      labels: { app: "firewall" },
    },
  });
}

const ALPHA = ["nsmgr-alpha", "forwarder-alpha"];
const BETA = ["nsmgr-beta", "forwarder-beta"];

for (const [asks, path] of [
  ["alpha", ["nsc-1", ...ALPHA, "firewall", ...ALPHA, ...BETA, "shop-1"]],
  // No station repeats on that path: only the function's own mark shows where a wire begins.
  ["beta", ["nsc-1", ...ALPHA, "firewall", ...BETA, "shop-1"]],
] as const)
  test(
    `upstream's managers pass on where the next wire of a chain begins, for a function that asks the manager of ${asks}`,
    { skip },
    async (t) => {
      const bed = await withRegistryOfUpstream(t);
      await mixedHost(t, bed, "alpha");
      await mixedHost(t, bed, "beta");
      await offer(t, bed, { place: "beta/db", service: "shop", labels: { app: "shop" } });
      await startFirewall(bed, asks);
      const nsc = await startClient(t, bed, { "lifetime-ms": 600_000 });
      const connection = await ask(nsc, "shop");
      assert.deepEqual(namesOf(connection), path);
      const [second, ...more] = wiresBehind(connection);
      assert.deepEqual(more, []);
      assert.deepEqual(
        second?.stations.map(({ name }) => name),
        path.slice(3),
      );
      const [far] = farAddressesOf(second?.stations ?? []);
      await bed.assertReaches("alpha/web", bare(far));
      await assertBothWays(bed, connection, "beta/db");
      await close(bed, nsc, connection);
    },
  );
