/** How wide a tunnel is: what its near side says, what its far side answers, and what is asked once more. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Connection } from "../../api/gen/nsm/connection_pb.js";
import { TunnelWays } from "../../forwarder/ways/tunnel-ways.ts";
import type { Way, WayQuery } from "../../kernel/kernel.ts";
import { IdentifierPools } from "../../mechanisms/identifier-pool.ts";
import { Chain, towards } from "../../../fixtures/elements/chain.ts";
import { Worlds } from "../../../fixtures/elements/world.ts";
import { contextOf } from "../connection.ts";
import { mtuWish } from "../context/mtu-wish.ts";
import { fitTunnel } from "./fit-tunnel.ts";
import { mechanisms } from "./mechanisms.ts";
import { tunnels } from "./tunnels.ts";
import { tunnelServers } from "./tunnel-servers.ts";

const OVERHEAD = 54;

/** Ways that are as wide as a test says; `undefined`: there is none. */
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

/** The near side, before a far side that does with the offer what `answer` says. */
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
    mtuWish(),
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

test("the near side says nothing of what it does not know, and takes an answer that fits its own way", async () => {
  const worlds = new Worlds();
  const { chain, asked } = nearSide(worlds, 1500, smaller(1346));
  await worlds.run(async () => {
    assert.deepEqual(mtuOf(await chain.request()), [1346, 1346]);
    assert.deepEqual(asked, [0]);
  });
});

test("an answer that is wider than the near side's way is asked for once more, on the same path", async () => {
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

test("a far side that answers the same all the same is not believed", async () => {
  const worlds = new Worlds();
  const { chain, asked } = nearSide(worlds, 1400, () => 1446);
  await worlds.run(async () => {
    assert.deepEqual(mtuOf(await chain.request()), [1346, 1346]);
    assert.equal(asked.length, 2);
  });
});

test("what was narrow once grows again, though the client sends what it was given, and its own wish stays", async () => {
  const worlds = new Worlds();
  const { chain, given, asked } = nearSide(worlds, 1400, smaller(1446));
  await worlds.run(async () => {
    const first = await chain.request();
    assert.deepEqual(mtuOf(first), [1346, 1346]);
    given.width = 1450;
    const second = await chain.request(first);
    assert.deepEqual(mtuOf(second), [1396, 1396]);
    assert.equal(asked.at(-1), 1450 - OVERHEAD);
    assert.equal(chain.requests.at(-1)?.connection?.context?.MTU, 0, "no wish of the client's");
    contextOf(second).MTU = 1300;
    await chain.request(second);
    assert.equal(chain.requests.at(-1)?.connection?.context?.MTU, 1300);
  });
});

test("where nobody knows of a way the usual width counts", async () => {
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

test("an address that a host does not have now is offered for no new tunnel, and kept for one that is there", async () => {
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
