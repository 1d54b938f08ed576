import assert from "node:assert/strict";
import { test } from "node:test";
import { STRANGERS_MARK } from "../../../e2e/kernel/kernel-contract-harness.ts";
import { Worlds } from "../../../fixtures/elements/world.ts";
import { formatPrefix } from "../../net/ip.ts";
import type { Netns } from "../../kernel/kernel.ts";
import { AddressesTaken, Claims } from "./claims.ts";
import { plan } from "../plan/plan.ts";
import { WireMaker } from "../../../fixtures/forwarder/wire-maker.ts";
import type { ConnectionContext, Wire } from "../wire.ts";

function scene() {
  const worlds = new Worlds();
  const kernel = worlds.machine.kernel();
  const world = worlds.world("alpha", kernel);
  const [pod, server] = ["pod", "server"].map((name) => worlds.machine.createNetns(`/run/netns/${name}`)) as [
    Netns,
    Netns,
  ];
  const claims = new Claims(world);
  const wire = (
    n: number,
    context: ConnectionContext,
    ends: { client?: Netns; endpoint?: Netns } = {},
  ): Wire => ({
    connectionId: `c${n}`,
    client: { type: "KERNEL", netns: ends.client ?? pod, interfaceName: `nsm-${n}` },
    endpoint: { type: "KERNEL", netns: ends.endpoint ?? server, interfaceName: `nse-${n}` },
    context,
  });
  const held = async (netns: Netns, id: string) => (await claims.held(netns, id)).map(formatPrefix);
  return { worlds, kernel, world, pod, server, claims, wire, held };
}

const pair = (client: string, endpoint: string): ConnectionContext => ({
  srcIpAddrs: [client],
  dstIpAddrs: [endpoint],
});
const taken = (reason: RegExp) => (error: unknown) =>
  error instanceof AddressesTaken && error.code === "ALREADY_EXISTS" && reason.test(error.message);

test("of two wires that claim an address at once only one gets it, and its release frees the address", async () => {
  const { worlds, claims, wire } = scene();
  await worlds.run(async () => {
    const both = await Promise.allSettled(
      [1, 2].map((n) => claims.claim(wire(n, pair("10.0.0.1/32", "10.0.0.0/32")))),
    );
    assert.deepEqual(both.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
    const [has, wants] = both[0]?.status === "fulfilled" ? ["c1", 2] : ["c2", 1];
    claims.release(has, claims.holdingOf(has));
    await claims.claim(wire(wants, pair("10.0.0.1/32", "10.0.0.0/32")));
  });
});

test("a far end of one wire cannot be an address or a far end of another; a route has one wire for each table", async () => {
  const { worlds, claims, wire } = scene();
  await worlds.run(async () => {
    await claims.claim(
      wire(1, { ...pair("10.0.0.1/32", "10.0.0.0/32"), srcRoutes: [{ prefix: "10.9.0.0/16" }] }),
    );
    const other = (context: ConnectionContext) => claims.claim(wire(2, context));
    await assert.rejects(
      other(pair("10.0.0.3/32", "10.0.0.0/32")),
      taken(
        /^make wire c2: 10\.0\.0\.0 is the far end of nsm-1 in the client's workload already, for wire c1$/,
      ),
    );
    await assert.rejects(other(pair("10.0.0.0/32", "10.0.0.2/32")), taken(/the far end of nsm-1/));
    await assert.rejects(other(pair("10.0.0.3/32", "10.0.0.1/32")), taken(/an address of nsm-1/));
    await assert.rejects(
      other({ ...pair("10.0.0.3/32", "10.0.0.2/32"), srcRoutes: [{ prefix: "10.9.0.0/16" }] }),
      taken(/10\.9\.0\.0\/16 is a route of nsm-1/),
    );
    await assert.rejects(
      claims
        .claim(wire(1, { ...pair("10.0.0.1/32", "10.0.0.0/32"), srcRoutes: [{ prefix: "0.0.0.0/0" }] }))
        .then(() => other({ ...pair("10.0.0.3/32", "10.0.0.2/32"), srcRoutes: [{ prefix: "0.0.0.0/0" }] })),
      taken(
        /^make wire c2: the default route is that of nsm-1 in the client's workload already, for wire c1$/,
      ),
    );
    // A longer prefix is another route, and so is a route for a policy's packets.
    const policies = [{ from: "10.0.0.3/32", routes: [{ prefix: "10.9.0.0/16" }] }];
    await other({ ...pair("10.0.0.3/32", "10.0.0.2/32"), srcRoutes: [{ prefix: "10.9.1.0/24" }], policies });
  });
});

test("an endpoint may use one address for all its wires, a client may not", async () => {
  const { worlds, claims, wire, server } = scene();
  await worlds.run(async () => {
    const client = (n: number): Netns => worlds.machine.createNetns(`/run/netns/client-${n}`);
    await claims.claim(wire(1, pair("10.0.0.1/32", "10.0.0.0/32"), { client: client(1) }));
    await claims.claim(wire(2, pair("10.0.0.2/32", "10.0.0.0/32"), { client: client(2) }));
    const one = client(3);
    const [to4, to5] = [client(4), client(5)];
    await claims.claim(wire(4, pair("10.1.0.1/32", "10.1.0.2/32"), { client: one, endpoint: to4 }));
    await assert.rejects(
      claims.claim(wire(5, pair("10.1.0.1/32", "10.1.0.3/32"), { client: one, endpoint: to5 })),
      taken(/10\.1\.0\.1 is an address of nsm-4 in the client's workload/),
    );
    assert.deepEqual((await claims.held(server, "c9")).map(formatPrefix), ["10.0.0.0/31", "10.0.0.2/32"]);
  });
});

test("a wire's old address is free when the kernel has the new one, and all its addresses when the wire goes", async () => {
  const { worlds, kernel, claims, wire, pod, held } = scene();
  const reconciler = new WireMaker(kernel, { claims });
  const bring = async (each: Wire) => {
    await claims.claim(each);
    await reconciler.apply(each);
  };
  await worlds.run(async () => {
    await bring(wire(1, pair("10.0.0.1/32", "10.0.0.0/32")));
    await claims.claim(wire(1, pair("10.0.0.9/32", "10.0.0.8/32")));
    assert.deepEqual(await held(pod, "c2"), ["10.0.0.0/31", "10.0.0.8/31"], "both, until one is in force");
    await reconciler.apply(wire(1, pair("10.0.0.9/32", "10.0.0.8/32")));
    assert.deepEqual(await held(pod, "c2"), ["10.0.0.8/31"]);
    await reconciler.remove("c1");
    assert.deepEqual(await held(pod, "c2"), []);
  });
});

test("of two adopted wires with the same address, the first that asks again gets another address", async () => {
  const { worlds, kernel, claims, wire, pod, server, held } = scene();
  const clients = [pod, worlds.machine.createNetns("/run/netns/pod-2")] as const;
  const double = (n: 1 | 2) =>
    wire(n, pair("10.0.0.1/32", "10.0.0.0/32"), { client: clients[n === 1 ? 0 : 1] });
  const unaware = new WireMaker(kernel);
  await worlds.run(async () => {
    await unaware.apply(double(1));
    await unaware.apply(double(2));
    const reconciler = new WireMaker(kernel, { claims });
    assert.deepEqual(await reconciler.adopt([...clients, server]), ["c1", "c2"]);
    assert.deepEqual(await held(server, "c3"), ["10.0.0.0/31"]);
    await assert.rejects(
      claims.claim(double(1)),
      taken(/10\.0\.0\.1 is the far end of nse-2 in the endpoint's/),
    );
    const moved = wire(1, pair("10.0.0.3/32", "10.0.0.2/32"), { client: pod });
    await claims.claim(moved);
    await reconciler.apply(moved);
    await claims.claim(double(2));
    await reconciler.apply(double(2));
    assert.equal(worlds.machine.reaches(server, "10.0.0.1")?.netns, clients[1]);
    assert.equal(worlds.machine.reaches(server, "10.0.0.3")?.netns, pod);
  });
});

test("a device of the same name is not a clash: the new wire takes its place", async () => {
  const { worlds, claims, wire, pod } = scene();
  await worlds.run(async () => {
    const old = wire(1, pair("10.0.0.1/32", "10.0.0.0/32"));
    await claims.adopt("lost", plan(old).objects);
    await claims.claim(old);
    assert.equal((await claims.held(pod, "c1")).length, 1);
  });
});

test("addresses of the workload's own network are refused, but a wire that is up survives when that network comes later", async () => {
  const { worlds, kernel, claims, wire, pod, world, held } = scene();
  const reconciler = new WireMaker(kernel, { claims });
  await worlds.run(async () => {
    const early = wire(1, pair("10.0.0.1/32", "10.0.0.0/32"));
    await claims.claim(early);
    await reconciler.apply(early);
    worlds.machine.plantUplink({
      netns: pod,
      name: "eth0",
      addresses: ["10.0.0.77/24", "fd00::77/64"],
      fabric: "x",
    });
    const own = worlds.machine.kernel({ host: pod, mark: STRANGERS_MARK });
    const routes = [
      { destination: "0.0.0.0/0", via: "10.0.0.254" },
      { destination: "10.7.0.0/16" },
      { destination: "10.8.0.0/16", via: "10.99.0.1", onlink: true },
      // The route through a tunnel to everything is not a local network.
      { destination: "128.0.0.0/1" },
    ] as const;
    await own.apply(
      routes.map((route) => ({
        verb: "add",
        object: { kind: "route", netns: "host", link: "eth0", ...route },
      })),
    );
    await world.clock.sleep(1_000);
    assert.deepEqual(await held(pod, "c2"), ["10.0.0.0/24", "10.7.0.0/16", "10.99.0.1/32", "fd00::/64"]);
    await claims.claim(early);
    await assert.rejects(
      claims.claim(wire(2, pair("10.0.0.9/32", "10.0.0.8/32"))),
      taken(/10\.0\.0\.9 belongs to the client's own network 10\.0\.0\.0\/24/),
    );
    await claims.claim(wire(2, pair("10.8.0.1/32", "10.8.0.0/32")));
  });
});
