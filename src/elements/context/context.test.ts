/** The context that a connection brings into a workload: addresses, routes, names, labels. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { ConnectionContextSchema } from "../../api/gen/nsm/connectioncontext_pb.js";
import { PathSchema, State, type Connection } from "../../api/gen/nsm/connection_pb.js";
import { Chain } from "../../../fixtures/elements/chain.ts";
import { clientInfo } from "./client-info.ts";
import { endpointContext, type ContextOptions } from "./endpoint-context.ts";
import { excludedPrefixes } from "./excluded-prefixes.ts";
import { ipam, type AddressOptions } from "./ipam.ts";
import { Worlds } from "../../../fixtures/elements/world.ts";

type IpInit = MessageInitShape<typeof ConnectionContextSchema>["ipContext"];
const context = (ipContext: IpInit) => create(ConnectionContextSchema, ipContext ? { ipContext } : {});
const addresses = ({ context: given }: Connection) => [
  ...(given?.ipContext?.srcIpAddrs ?? []),
  ...(given?.ipContext?.dstIpAddrs ?? []),
];

function pool(options: Partial<AddressOptions> = {}) {
  const worlds = new Worlds();
  const world = worlds.world("alpha");
  const pools = [["10.0.0.0/29"], ["fd00::/125"]];
  return { worlds, world, chain: new Chain(world, [ipam("shop-1", { pools, ...options })]) };
}

test("each end gets an address of each family, with full length, and a route to the other", async () => {
  const { worlds, chain } = pool();
  await worlds.run(async () => {
    const { context: given } = await chain.request();
    assert.deepEqual(given?.ipContext?.srcIpAddrs, ["10.0.0.1/32", "fd00::1/128"]);
    assert.deepEqual(given?.ipContext?.dstIpAddrs, ["10.0.0.0/32", "fd00::/128"]);
    assert.deepEqual(
      given?.ipContext?.srcRoutes.map(({ prefix }) => prefix),
      ["10.0.0.0/32", "fd00::/128"],
    );
    assert.deepEqual(
      given?.ipContext?.dstRoutes.map(({ prefix }) => prefix),
      ["10.0.0.1/32", "fd00::1/128"],
    );
  });
});

test("a refresh keeps the addresses; an address that has become excluded is replaced, with its routes", async () => {
  const { worlds, chain } = pool();
  await worlds.run(async () => {
    const first = await chain.request();
    const again = await chain.request(first);
    assert.deepEqual(again.context, first.context);
    again.context?.ipContext?.excludedPrefixes.push("10.0.0.1");
    const moved = await chain.request(again);
    assert.deepEqual(moved.context?.ipContext?.srcIpAddrs, ["10.0.0.3/32", "fd00::1/128"]);
    assert.equal(moved.context?.ipContext?.srcRoutes.length, 2);
    await assert.rejects(
      chain.request({ id: "c2", context: context({ excludedPrefixes: ["10.0.0.0/33"] }) }),
      { code: "INVALID_ARGUMENT", message: 'read excluded prefix "10.0.0.0/33": it is not a prefix' },
    );
  });
});

test("the strict policy removes foreign addresses and their routes, the polite policy keeps them", async () => {
  const foreign = context({
    srcIpAddrs: ["192.168.0.2/32"],
    dstIpAddrs: ["192.168.0.1/32"],
    srcRoutes: [
      { prefix: "192.168.0.1/32" },
      { prefix: "0.0.0.0/0", nextHop: "192.168.0.1" },
      { prefix: "10.9.0.0/16" },
    ],
  });
  for (const policy of ["strict", "polite"] as const) {
    const { worlds, chain } = pool({ policy });
    await worlds.run(async () => {
      const answer = await chain.request({ context: foreign });
      const isKept = addresses(answer).includes("192.168.0.2/32");
      assert.equal(isKept, policy === "polite");
      const routes = answer.context?.ipContext?.srcRoutes.map(({ prefix }) => prefix);
      assert.deepEqual(
        routes,
        policy === "polite"
          ? ["192.168.0.1/32", "0.0.0.0/0", "10.9.0.0/16", "10.0.0.0/32", "fd00::/128"]
          : ["10.9.0.0/16", "10.0.0.0/32", "fd00::/128"],
      );
    });
  }
});

test("after a close an address is free at once, after a loss it stays reserved for its owner", async () => {
  const { worlds, world, chain } = pool({ pools: [["10.0.0.0/30"]] });
  await worlds.run(async () => {
    const first = await chain.request({ id: "c1" });
    await chain.close(first);
    assert.deepEqual(addresses(await chain.request({ id: "c2" })), ["10.0.0.1/32", "10.0.0.0/32"]);
    const lost = await chain.request({ id: "c3" });
    lost.state = State.DOWN;
    await chain.close(lost);
    await assert.rejects(chain.request({ id: "c4" }), {
      code: "RESOURCE_EXHAUSTED",
      message: /^give client a pair of addresses of shop-1: its pool 10\.0\.0\.0\/30 has no room left$/,
    });
    assert.deepEqual(addresses(await chain.request({ id: "c3" })), ["10.0.0.3/32", "10.0.0.2/32"]);
    const again = await chain.request({ id: "c3" });
    again.state = State.DOWN;
    await chain.close(again);
    await world.clock.sleep(60_001);
    assert.deepEqual(addresses(await chain.request({ id: "c4" })), ["10.0.0.3/32", "10.0.0.2/32"]);
  });
});

test("a wire that moves to another path keeps its addresses, and the close of the old connection does not free them", async () => {
  const { worlds, chain } = pool();
  const by = (manager: string) => ({
    id: manager,
    path: create(PathSchema, {
      index: 1,
      pathSegments: [
        { name: "client", id: "c1" },
        { name: manager, id: manager },
      ],
    }),
  });
  await worlds.run(async () => {
    const old = await chain.request(by("m1"));
    const now = await chain.request(by("m2"));
    assert.deepEqual(addresses(now), addresses(old));
    await chain.close(old);
    assert.ok(!addresses(await chain.request({ id: "c2" })).some((each) => addresses(now).includes(each)));
    await chain.close(now);
    assert.deepEqual(addresses(await chain.request({ id: "c3" })), addresses(now));
  });
});

test("an endpoint's routes, policies, DNS, labels and MTU are in every answer once, and change while it runs", async () => {
  const worlds = new Worlds();
  let options: ContextOptions = {
    srcRoutes: [{ prefix: "10.9.0.0/16" }],
    policies: [{ proto: "tcp", dstPort: "80" }],
    dns: [{ dnsServerIps: ["10.0.0.53"], searchDomains: ["shop"] }],
    extra: { a: "1", b: "2" },
    labels: { zone: "a" },
    mtuBytes: 1400,
  };
  const chain = new Chain(worlds.world("alpha"), [endpointContext(() => options)]);
  await worlds.run(async () => {
    const given = context({ srcRoutes: [{ prefix: "10.8.0.0/16" }] });
    given.MTU = 9000;
    const first = await chain.request({ context: given });
    const second = await chain.request(first);
    assert.deepEqual(second.context, first.context);
    assert.deepEqual(
      second.context?.ipContext?.srcRoutes.map(({ prefix }) => prefix),
      ["10.8.0.0/16", "10.9.0.0/16"],
    );
    assert.deepEqual([second.context?.MTU, second.labels], [1400, { zone: "a" }]);
    assert.equal(second.context?.dnsContext?.configs.length, 1);
    options = { extra: { b: "3" } };
    const third = await chain.request(second);
    assert.deepEqual(
      third.context?.ipContext?.srcRoutes.map(({ prefix }) => prefix),
      ["10.8.0.0/16"],
    );
    assert.deepEqual([third.context?.extraContext, third.labels], [{ b: "3" }, {}]);
    assert.deepEqual([third.context?.ipContext?.policies, third.context?.dnsContext?.configs], [[], []]);
  });
});

test("a manager adds its excluded prefixes once, and adds labels that are missing", async () => {
  const worlds = new Worlds();
  const chain = new Chain(worlds.world("alpha"), [
    clientInfo({ nodeName: "alpha", podName: "x" }),
    excludedPrefixes(() => ["10.0.0.0/8", "fd00::/8"]),
  ]);
  await worlds.run(async () => {
    const first = await chain.request({
      labels: { podName: "own" },
      context: context({ excludedPrefixes: ["10.0.0.0/8"] }),
    });
    const { labels, context: given } = await chain.request(first);
    assert.deepEqual(labels, { podName: "own", nodeName: "alpha" });
    assert.deepEqual(given?.ipContext?.excludedPrefixes, ["10.0.0.0/8", "fd00::/8"]);
  });
});
