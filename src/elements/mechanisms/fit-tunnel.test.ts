/** The width of a tunnel: the near side's offer, the far side's answer, and the second request. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Connection } from "../../api/gen/nsm/connection_pb.js";
import { TunnelWays } from "../../forwarder/ways/tunnel-ways.ts";
import type { Way, WayQuery } from "../../kernel/kernel.ts";
import { IdentifierPools } from "../../mechanisms/identifier-pool.ts";
import { Chain, towards } from "../../../fixtures/elements/chain.ts";
import { Worlds } from "../../../fixtures/elements/world.ts";
import { contextOf } from "../connection.ts";
import { requestedMtu } from "../context/requested-mtu.ts";
import { fitTunnel } from "./fit-tunnel.ts";
import { mechanisms } from "./mechanisms.ts";
import { tunnels } from "./tunnels.ts";
import { tunnelServers } from "./tunnel-servers.ts";

const OVERHEAD = 54;

/** Ways of the given width; `undefined`: no way exists. */
function waysOf(given: { width: number | undefined }): TunnelWays {
  const ways = (queries: readonly WayQuery[]): Promise<Way[]> =>
    Promise.resolve(
      queries.map(() => {
        const { width: mtuBytes } = given;
        if (mtuBytes === undefined) return { unreachable: "ENETUNREACH" };
        return { mtuBytes, hops: [{ link: "eth0", mtuBytes, boundBy: "device" }] };
      }),
    );
  return new TunnelWays({ kernel: { ways } });
}

/** The near side, before a far side that answers an offered MTU with `answer(offered)`. */
function nearSide(worlds: Worlds, width: number | undefined, answer: (offered: number) => number) {
  const world = worlds.world("alpha");
  const given = { width };
  const options = {
    addresses: ["10.8.0.1"],
    ways: waysOf(given),
    identifiers: new IdentifierPools(world.random),
  };
  const chain = new Chain(world, [
    towards("tcp://10.8.0.2:5001"),
    requestedMtu(),
    tunnels(options),
    fitTunnel(options),
  ]);
  const asked: number[] = [];
  chain.answer = (connection) => {
    const request = chain.requests.at(-1);
    const mechanism = request?.connection?.mechanism ?? request?.mechanismPreferences[0];
    assert.ok(mechanism);
    const offered = Number(mechanism.parameters["MTU"] ?? 0);
    asked.push(offered);
    const mtu = answer(offered);
    mechanism.parameters = {
      ...mechanism.parameters,
      dst_ip: "10.8.0.2",
      dst_port: "4789",
      MTU: String(mtu),
    };
    connection.mechanism = mechanism;
    contextOf(connection).MTU = mtu;
  };
  return { chain, given, asked };
}

const smaller = (own: number) => (offered: number) => (offered === 0 ? own : Math.min(offered, own));
const mtuOf = ({ context, mechanism }: Connection) => [context?.MTU, Number(mechanism?.parameters["MTU"])];

test("the near side offers no MTU for an unknown way, and accepts an answer that fits its own way", async () => {
  const worlds = new Worlds();
  const { chain, asked } = nearSide(worlds, 1500, smaller(1346));
  await worlds.run(async () => {
    assert.deepEqual(mtuOf(await chain.request()), [1346, 1346]);
    assert.deepEqual(asked, [0]);
  });
});

test("an answer wider than the near side's way causes a second request on the same path", async () => {
  const worlds = new Worlds();
  const { chain, asked } = nearSide(worlds, 1400, smaller(1446));
  await worlds.run(async () => {
    assert.deepEqual(mtuOf(await chain.request()), [1346, 1346]);
    assert.deepEqual(asked, [0, 1346]);
    const [first, second] = chain.requests.map((each) =>
      each.connection?.path?.pathSegments.map(({ id }) => id),
    );
    assert.deepEqual(second, first);
  });
});

test("if the far side repeats a too wide answer, the near side uses its own width", async () => {
  const worlds = new Worlds();
  const { chain, asked } = nearSide(worlds, 1400, () => 1446);
  await worlds.run(async () => {
    assert.deepEqual(mtuOf(await chain.request()), [1346, 1346]);
    assert.equal(asked.length, 2);
  });
});

test("a narrow tunnel grows again although the client sends the MTU that it was given, and keeps the MTU that the client requested first", async () => {
  const worlds = new Worlds();
  const { chain, given, asked } = nearSide(worlds, 1400, smaller(1446));
  await worlds.run(async () => {
    const first = await chain.request();
    assert.deepEqual(mtuOf(first), [1346, 1346]);
    given.width = 1450;
    const second = await chain.request(first);
    assert.deepEqual(mtuOf(second), [1396, 1396]);
    assert.equal(asked.at(-1), 1450 - OVERHEAD);
    assert.equal(chain.requests.at(-1)?.connection?.context?.MTU, 0, "the client requests no MTU");
    contextOf(second).MTU = 1300;
    await chain.request(second);
    assert.equal(chain.requests.at(-1)?.connection?.context?.MTU, 1300);
  });
});

test("without a known way the usual width counts", async () => {
  const worlds = new Worlds();
  const { chain } = nearSide(worlds, undefined, (offered) => offered);
  await worlds.run(async () => {
    const { mechanism } = await chain.request();
    assert.equal(mechanism?.parameters["MTU"], String(1500 - OVERHEAD));
  });
});

for (const [offer, own, answered] of [
  [undefined, 1400, 1346],
  ["1300", 1400, 1300],
  ["1446", 1400, 1346],
  ["1446", undefined, 1446],
  [undefined, undefined, 1446],
] as const)
  test(`a far side with ${own ?? "no known"} bytes to the near side answers an offer of ${offer ?? "nothing"} with ${answered}`, async () => {
    const worlds = new Worlds();
    const world = worlds.world("beta");
    const options = {
      addresses: ["10.8.0.2"],
      ways: waysOf({ width: own }),
      identifiers: new IdentifierPools(world.random),
    };
    const chain = new Chain(world, [mechanisms(tunnelServers(options))]);
    await worlds.run(async () => {
      const parameters = { src_ip: "10.8.0.1", vni: "7", ...(offer !== undefined && { MTU: offer }) };
      const answer = await chain.request({}, { preferences: [{ cls: "REMOTE", type: "VXLAN", parameters }] });
      assert.deepEqual(mtuOf(answer), [answered, answered]);
      const refreshed = await chain.request(answer, { preferences: [] });
      assert.deepEqual(mtuOf(refreshed), [answered, answered]);
    });
  });

test("an address that a host lacks now is not offered for a new tunnel, but kept for an existing one", async () => {
  const worlds = new Worlds();
  const world = worlds.world("alpha");
  let has = false;
  const options = {
    addresses: ["10.8.0.1"],
    isUsable: () => has,
    ways: waysOf({ width: 1500 }),
    identifiers: new IdentifierPools(world.random),
  };
  const chain = new Chain(world, [mechanisms(tunnelServers(options))]);
  const preferences = [{ cls: "REMOTE", type: "VXLAN", parameters: { src_ip: "10.8.0.2", vni: "7" } }];
  await worlds.run(async () => {
    await assert.rejects(chain.request({}, { preferences }), /this host has no IPv4 address for tunnels/);
    has = true;
    const answer = await chain.request({}, { preferences });
    has = false;
    assert.equal((await chain.request(answer)).mechanism?.parameters["dst_ip"], "10.8.0.1");
    await assert.rejects(chain.request({ id: "c2" }, { preferences }), { code: "INVALID_ARGUMENT" });
  });
});
