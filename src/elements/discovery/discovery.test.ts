/** Selection of the endpoint and the forwarder of a connection, and the order in which they are tried. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { PathSegmentSchema, State } from "../../api/gen/nsm/connection_pb.js";
import {
  type NetworkServiceEndpoint,
  NetworkServiceEndpointResponseSchema,
  NetworkServiceEndpointSchema,
  NetworkServiceResponseSchema,
  NetworkServiceSchema,
} from "../../api/gen/nsm/registry_pb.js";
import { type Candidate, matchesEndpointQuery, matchesServiceQuery } from "../../registry/matching/match.ts";
import { NetloomError } from "../../errors/errors.ts";
import { reason } from "../../errors/reasons.ts";
import { type Watch, watchOf } from "../../async/watch.ts";
import { Chain } from "../../../fixtures/elements/chain.ts";
import { discoverForwarder } from "./discover-forwarder.ts";
import { discover, type Registries } from "./discover.ts";
import { select, type Selection } from "./select.ts";
import { TurnOrder } from "./turn-order.ts";
import { Worlds } from "../../../fixtures/elements/world.ts";

type Services = readonly MessageInitShape<typeof NetworkServiceSchema>[];

const nse = (name: string, labels: Record<string, string> = {}, more: Partial<NetworkServiceEndpoint> = {}) =>
  Object.assign(
    create(NetworkServiceEndpointSchema, {
      name,
      url: `tcp://${name}`,
      networkServiceNames: ["shop"],
      networkServiceLabels: { shop: { labels }, forwarder: { labels } },
    }),
    more,
  );

function registries(services: Services, endpoints: readonly NetworkServiceEndpoint[]): Registries {
  const refuse = (): never => {
    throw new TypeError("not asked for");
  };
  const watch = <T>(answers: readonly T[]): Watch<T> => {
    const left = [...answers];
    return watchOf({ take: () => Promise.resolve(left.shift()), close: () => undefined });
  };
  return {
    services: {
      request: refuse,
      close: refuse,
      find: (_call, { networkService: query }) =>
        watch(
          services
            .map((init) => create(NetworkServiceSchema, init))
            .filter((each) => query && matchesServiceQuery(query, each))
            .map((networkService) => create(NetworkServiceResponseSchema, { networkService })),
        ),
    },
    endpoints: {
      request: refuse,
      close: refuse,
      find: (_call, { networkServiceEndpoint: query }) =>
        watch(
          endpoints
            .filter((each) => query && matchesEndpointQuery(query, each))
            .map((networkServiceEndpoint) =>
              create(NetworkServiceEndpointResponseSchema, { networkServiceEndpoint }),
            ),
        ),
    },
  };
}

const SHOP: Services = [{ name: "shop", payload: "ETHERNET" }];
const fails = (names: readonly string[]) => (connection: { readonly networkServiceEndpointName: string }) => {
  if (names.includes(connection.networkServiceEndpointName)) {
    throw new NetloomError("UNAVAILABLE", "nobody answers");
  }
};

test("candidates take turns, the service sets the payload, and after a failure the next candidate is tried", async () => {
  const worlds = new Worlds();
  const selections: Selection[] = [];
  const found = registries(SHOP, [nse("a"), nse("b"), nse("c", {}, { expirationTime: timestampFromMs(1) })]);
  const chain = new Chain(worlds.world("alpha"), [
    discover(found),
    select(found.endpoints, (_id, selection) => selections.push(selection)),
  ]);
  await worlds.run(async () => {
    const names: string[] = [];
    for (const id of ["c1", "c2", "c3"]) {
      const answer = await chain.request({ id });
      names.push(answer.networkServiceEndpointName);
      assert.equal(answer.payload, "ETHERNET");
    }
    assert.deepEqual(names, ["a", "b", "a"], "an expired one is none");
    assert.equal(chain.calls.at(-1)?.nextUrl, "tcp://a");
    chain.answer = fails(["b"]);
    assert.equal((await chain.request({ id: "c4" })).networkServiceEndpointName, "a");
    const { taken, failed } = selections.at(-1) ?? assert.fail("nothing was selected");
    assert.deepEqual(
      [taken, failed.map(({ endpoint, error }) => [endpoint, error.message])],
      ["a", [["b", "nobody answers"]]],
    );
    chain.answer = fails(["a", "b"]);
    await assert.rejects(chain.request({ id: "c5" }), {
      code: "UNAVAILABLE",
      message: "connect to shop: all candidates have failed: a: nobody answers; b: nobody answers",
    });
  });
});

test("if all candidates fail, the error has code, reason and hint of the most specific failure, and the messages of all", async () => {
  const worlds = new Worlds();
  const found = registries(SHOP, [nse("a"), nse("b"), nse("c")]);
  const chain = new Chain(worlds.world("alpha"), [discover(found), select(found.endpoints)]);
  const full = reason("NO_FREE_ADDRESS", { endpoint: "b", pools: "10.0.0.0/31" });
  chain.answer = ({ networkServiceEndpointName: name }) => {
    if (name === "b")
      throw new NetloomError("RESOURCE_EXHAUSTED", "its pool is full", {
        reason: full,
        topic: "NL-501",
        hint: "larger",
      });
    throw new NetloomError("UNAVAILABLE", "nobody answers", {
      reason: reason("PEER_UNREACHABLE", { url: `tcp://${name}`, why: "ECONNREFUSED" }),
    });
  };
  await worlds.run(async () => {
    await assert.rejects(chain.request(), {
      code: "RESOURCE_EXHAUSTED",
      topic: "NL-501",
      reason: full,
      hint: "larger",
      message: /all candidates have failed: a: nobody answers; b: its pool is full; c: nobody answers$/,
    });
  });
});

test("a connection that names its endpoint goes to that endpoint or fails", async () => {
  const worlds = new Worlds();
  const found = registries(SHOP, [nse("a"), nse("ab")]);
  const chain = new Chain(worlds.world("alpha"), [discover(found), select(found.endpoints)]);
  await worlds.run(async () => {
    await chain.request({ networkServiceEndpointName: "ab" });
    assert.equal(chain.calls.at(-1)?.nextUrl, "tcp://ab");
    assert.equal(chain.requests.at(-1)?.connection?.payload, "ETHERNET");
    await assert.rejects(chain.request({ id: "c2", networkServiceEndpointName: "abc" }), {
      code: "NOT_FOUND",
      message: "network service endpoint abc not found",
    });
    await assert.rejects(chain.request({ id: "c3", networkService: "" }), { code: "INVALID_ARGUMENT" });
    await assert.rejects(
      chain.request({ id: "c4", payload: "IP" }),
      /shop: it carries ETHERNET, and the client requests IP/,
    );
  });
});

test("after the caller's deadline no further candidate is tried, and the error names a registry that does not answer", async () => {
  const worlds = new Worlds();
  const world = worlds.world("alpha");
  const found = registries(SHOP, [nse("a"), nse("b")]);
  const chain = new Chain(world, [discover(found), select(found.endpoints)]);
  const silent: Registries = {
    ...found,
    endpoints: {
      ...found.endpoints,
      find: () => {
        const { promise, resolve } = Promise.withResolvers<undefined>();
        return watchOf<never>({ take: () => promise, close: () => resolve(undefined) });
      },
    },
  };
  const deaf = new Chain(world, [discover(silent)]);
  await worlds.run(async () => {
    const caller = chain.caller();
    const scope = world.scope.child("caller", { timeoutMs: 1_000 });
    chain.answer = async () => {
      await world.clock.sleep(2_000);
      throw new NetloomError("DEADLINE_EXCEEDED", "no answer");
    };
    await assert.rejects(
      chain.request({}, { caller: { ...caller, scope } }),
      /a: no answer; no time was left for 1 more/,
    );
    const late = world.scope.child("caller", { timeoutMs: 1_000 });
    await assert.rejects(deaf.request({}, { caller: { ...caller, scope: late } }), {
      code: "DEADLINE_EXCEEDED",
      message: "find endpoints: the registry did not answer before the deadline",
    });
  });
});

test("a manager keeps its forwarder until another endpoint is requested", async () => {
  const worlds = new Worlds();
  const url = "tcp://10.0.0.1:5001";
  const forwarder = (name: string, labels = { p2p: "true" }) =>
    nse(name, labels, { networkServiceNames: ["forwarder"], url: `${url}/${name}` });
  const found = registries(SHOP, [forwarder("f1"), forwarder("f2"), nse("x", {}, { url: `${url}/x` })]);
  const chain = new Chain(worlds.world("alpha"), [discoverForwarder({ registries: found, url })]);
  const used = () => chain.calls.at(-1)?.nextUrl?.split("/").at(-1);
  await worlds.run(async () => {
    let down = ["f1"];
    chain.answer = (_connection, call) => {
      if (down.some((name) => call.nextUrl?.endsWith(name))) throw new NetloomError("UNAVAILABLE", "gone");
    };
    await chain.request();
    assert.equal(used(), "f2");
    down = [];
    await chain.request();
    assert.equal(used(), "f2", "remembered");
    down = ["f2"];
    await assert.rejects(chain.request(), { code: "UNAVAILABLE", message: "gone" });
    await chain.request({ state: State.RESELECT_REQUESTED });
    assert.equal(used(), "f1");
    down = ["f1", "f2"];
    await assert.rejects(chain.request({ id: "c2" }), {
      message: "connect to shop: all forwarders have failed: f1: gone; f2: gone",
    });
    await assert.rejects(
      chain.request({ id: "c3", networkService: "bank" }),
      /network service bank is not found/,
    );
  });
});

test("after a restart the path's next segment names the forwarder; own forwarders come first", async () => {
  const worlds = new Worlds();
  const url = "tcp://10.0.0.1:5001";
  const forwarder = (name: string) =>
    nse(name, { p2p: "true" }, { networkServiceNames: ["forwarder"], url: `${url}/${name}` });
  const found = registries(SHOP, [forwarder("f1"), forwarder("f2")]);
  const world = worlds.world("alpha");
  const chain = new Chain(world, [discoverForwarder({ registries: found, url })]);
  const own = new Chain(world, [discoverForwarder({ registries: found, url, own: [forwarder("f9")] })]);
  await worlds.run(async () => {
    const before = await chain.request();
    before.path?.pathSegments.push(create(PathSegmentSchema, { name: "f2", id: "f2-id" }));
    const again = new Chain(world, [discoverForwarder({ registries: found, url })]);
    await again.request(before);
    assert.equal(again.calls.at(-1)?.nextUrl, `${url}/f2`);
    await own.request();
    assert.equal(own.calls.at(-1)?.nextUrl, `${url}/f9`);
  });
});

test("a forwarder needs the labels of the service's match, and p2p if the match requires none", async () => {
  const worlds = new Worlds();
  const url = "tcp://10.0.0.1:5001";
  const forwarder = (name: string, labels: Record<string, string>) =>
    nse(name, labels, { networkServiceNames: ["forwarder"], url: `${url}/${name}` });
  const services: Services = [
    { name: "any", matches: [{ routes: [{}] }] },
    { name: "fast", matches: [{ metadata: { labels: { fast: "{{ .how }}" } } }] },
    {
      name: "maybe",
      matches: [
        { metadata: { labels: { fast: "no" } }, fallthrough: true },
        { sourceSelector: { how: "x" }, metadata: { labels: { fast: "no" } } },
        { metadata: { labels: { slow: "yes" } } },
      ],
    },
  ];
  const found = registries(services, [
    forwarder("plain", { p2p: "true" }),
    forwarder("fast", { fast: "very" }),
    forwarder("slow", { slow: "yes" }),
  ]);
  const chain = new Chain(worlds.world("alpha"), [discoverForwarder({ registries: found, url })]);
  await worlds.run(async () => {
    for (const [service, labels, expected] of [
      ["any", {}, "plain"],
      ["fast", { how: "very" }, "fast"],
      ["maybe", {}, "slow"],
    ] as const) {
      await chain.request({ id: service, networkService: service, labels });
      assert.equal(chain.calls.at(-1)?.nextUrl, `${url}/${expected}`, service);
    }
    await assert.rejects(chain.request({ id: "x", networkService: "fast", labels: { how: "not" } }), {
      code: "UNAVAILABLE",
      message: /no candidates found among 3 forwarders/,
    });
  });
});

test("a registered forwarder is taken if no own forwarder has the labels of the match", async () => {
  const worlds = new Worlds();
  const url = "tcp://10.0.0.1:5001";
  const forwarder = (name: string, labels: Record<string, string>) =>
    nse(name, labels, { networkServiceNames: ["forwarder"], url: `${url}/${name}` });
  const services: Services = [
    { name: "any" },
    { name: "p2p", matches: [{ routes: [{}] }] },
    { name: "fast", matches: [{ metadata: { labels: { fast: "yes" } } }] },
    {
      name: "rather",
      matches: [{ metadata: { labels: { fast: "yes" } }, fallthrough: true }, { routes: [{}] }],
    },
    {
      name: "slow",
      matches: [{ metadata: { labels: { slow: "yes" } }, fallthrough: true }, { routes: [{}] }],
    },
    { name: "none", matches: [{ metadata: { labels: { slow: "yes" } } }] },
  ];
  const found = registries(services, [forwarder("f1", { p2p: "true" }), forwarder("f2", { fast: "yes" })]);
  let isRegistryAsked = false;
  const asked: Registries = {
    ...found,
    endpoints: {
      ...found.endpoints,
      find: (call, query) => {
        isRegistryAsked = true;
        return found.endpoints.find(call, query);
      },
    },
  };
  const own = [forwarder("own", { p2p: "true" })];
  const chain = new Chain(worlds.world("alpha"), [discoverForwarder({ registries: asked, url, own })]);
  await worlds.run(async () => {
    for (const [service, expected, isAsked] of [
      ["any", "own", false],
      ["p2p", "own", false],
      ["fast", "f2", true],
      ["rather", "f2", true],
      ["slow", "own", true],
    ] as const) {
      for (const time of ["first", "again"]) {
        isRegistryAsked = false;
        await chain.request({ id: service, networkService: service });
        assert.equal(chain.calls.at(-1)?.nextUrl, `${url}/${expected}`, `${service}, ${time}`);
        assert.equal(isRegistryAsked, isAsked, `${service}, ${time}`);
      }
    }
    await assert.rejects(chain.request({ id: "none", networkService: "none" }), {
      code: "UNAVAILABLE",
      message: /no candidates found/,
    });
  });
});

const candidate = (name: string, weight: number): Candidate => ({ endpoint: nse(name), weight });
const firsts = (order: TurnOrder, candidates: readonly Candidate[], turns: number): string[] =>
  Array.from({ length: turns }, () => order.next("shop", candidates)[0]?.endpoint.name ?? "");

test("weighted turns are smooth, also when the weights change meanwhile", () => {
  const order = new TurnOrder();
  const five = [candidate("a", 5), candidate("b", 1), candidate("c", 1)];
  assert.equal(firsts(order, five, 7).join(""), "aabacaa");
  assert.equal(firsts(order, [candidate("a", 1), candidate("b", 0), candidate("a", 1)], 3).join(""), "aaa");
  assert.deepEqual(
    order
      .next("other", [candidate("a", 0), candidate("b", 2), candidate("b", 2)])
      .map((each) => each.endpoint.name),
    ["b", "a"],
    "weight 0 is the last resort, and each is tried once",
  );
});

test("over a full round every endpoint is first as often as its weight, for any weights", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 12 }), { minLength: 1, maxLength: 8 }), (weights) => {
      const candidates = weights.map((weight, i) => candidate(`e${i}`, weight));
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      const turns = total || weights.length;
      const seen = firsts(new TurnOrder(), candidates, turns);
      for (const [i, weight] of weights.entries()) {
        assert.equal(seen.filter((name) => name === `e${i}`).length, total ? weight : 1);
      }
    }),
  );
});
