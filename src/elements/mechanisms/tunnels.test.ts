/** Tunnels of several types and families between two forwarders: which are offered, taken and released. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { copyMessage } from "../../api/copy-message.ts";
import type { Connection } from "../../api/gen/nsm/connection_pb.js";
import type { NetworkServiceRequest } from "../../api/gen/nsm/networkservice_pb.js";
import { NetloomError } from "../../errors/errors.ts";
import { IdentifierPools } from "../../mechanisms/identifier-pool.ts";
import type { RemoteType } from "../../mechanisms/mechanism-type.ts";
import { vxlan } from "../../mechanisms/vxlan/vxlan.ts";
import { Chain, towards } from "../../../fixtures/elements/chain.ts";
import { connectionOf } from "../connection.ts";
import { TunnelWays } from "../../forwarder/ways/tunnel-ways.ts";
import type { HostWorld } from "../../world/world.ts";
import { mechanisms } from "./mechanisms.ts";
import type { TunnelOptions } from "./tunnel-options.ts";
import { tunnelServers } from "./tunnel-servers.ts";
import { tunnels } from "./tunnels.ts";
import { Worlds } from "../../../fixtures/elements/world.ts";

/** Another type with another identifier, which uses the same host parameters. */
const other: RemoteType = {
  ...vxlan,
  type: "OTHER",
  identifier: { ...vxlan.identifier, key: "key", noun: "key", isHeldBy: () => false },
};

interface Ends {
  readonly near: Chain;
  readonly far: Chain;
  readonly nearIds: IdentifierPools;
  readonly farIds: IdentifierPools;
}

/** A near side on alpha, whose requests and closes go to a far side on beta. */
function ends(
  worlds: Worlds,
  options: {
    readonly near?: Partial<TunnelOptions>;
    readonly far?: Partial<TunnelOptions>;
    readonly nearTypes?: readonly RemoteType[];
    readonly farTypes?: readonly RemoteType[];
    readonly onRequest?: (request: NetworkServiceRequest, ends: { readonly farIds: IdentifierPools }) => void;
  },
): Ends {
  const [alpha, beta] = [worlds.world("alpha"), worlds.world("beta")];
  const [nearIds, farIds] = [new IdentifierPools(alpha.random), new IdentifierPools(beta.random)];
  const common = (world: HostWorld) => ({ ways: new TunnelWays({ kernel: world.kernel }) });
  const far = new Chain(beta, [
    mechanisms(
      tunnelServers(
        { ...common(beta), addresses: ["10.8.0.2"], identifiers: farIds, ...options.far },
        options.farTypes,
      ),
    ),
  ]);
  const near = new Chain(
    alpha,
    [
      towards("tcp://beta.example:5001"),
      tunnels(
        { ...common(alpha), addresses: ["10.8.0.1"], identifiers: nearIds, ...options.near },
        options.nearTypes,
      ),
    ],
    {
      last: {
        request: async (_call, request) => {
          near.requests.push(copyMessage(request));
          options.onRequest?.(request, { farIds });
          const { id, mechanism } = connectionOf(request);
          const asked: Partial<Connection> = { id, ...(mechanism && { mechanism }) };
          const answer = copyMessage(connectionOf(request));
          const { mechanism: taken } = await far.request(asked, {
            preferences: request.mechanismPreferences,
          });
          if (taken) answer.mechanism = taken;
          return answer;
        },
        close: async (_call, connection) => {
          near.closes.push(connection);
        },
      },
    },
  );
  return { near, far, nearIds, farIds };
}

/** The preferences of the last request: type, source and identifier. */
function offered({ requests }: Chain): string[] {
  return (requests.at(-1)?.mechanismPreferences ?? []).map(
    ({ type, parameters }) => `${type} ${parameters["src_ip"]}`,
  );
}

const DUAL = ["10.8.0.1", "fd08::1"];

for (const [far, taken] of [
  [["10.8.0.2"], "10.8.0.1 10.8.0.2"],
  [["fd08::2"], "fd08::1 fd08::2"],
  [["fd08::2", "10.8.0.2"], "10.8.0.1 10.8.0.2"],
] as const)
  test(`between a host with both families and one with ${far.join(" and ")} the tunnel is ${taken}, whatever the URL says`, async () => {
    const worlds = new Worlds();
    const { near, nearIds, farIds } = ends(worlds, { near: { addresses: DUAL }, far: { addresses: far } });
    await worlds.run(async () => {
      const { mechanism } = await near.request();
      assert.deepEqual(offered(near), ["VXLAN 10.8.0.1", "VXLAN fd08::1"]);
      const { src_ip: source, dst_ip: destination } = mechanism?.parameters ?? {};
      assert.equal(`${source} ${destination}`, taken);
      assert.deepEqual([nearIds.size, farIds.size], [1, 1]);
    });
  });

test("hosts without a common address family get an error and hold no identifier", async () => {
  const worlds = new Worlds();
  const { near, nearIds, farIds } = ends(worlds, { far: { addresses: ["fd08::2"] } });
  await worlds.run(async () => {
    await assert.rejects(near.request(), {
      code: "INVALID_ARGUMENT",
      topic: "NL-404",
      message: "make a tunnel to 10.8.0.1: this host has no IPv4 address for tunnels",
    });
    assert.deepEqual([nearIds.size, farIds.size], [0, 0]);
  });
});

test("of several types the far side's first one is kept, and the identifiers of the others are released", async () => {
  const worlds = new Worlds();
  const nearTypes = [other, vxlan];
  const { near, nearIds, farIds } = ends(worlds, { nearTypes, farTypes: [vxlan] });
  await worlds.run(async () => {
    const answer = await near.request();
    assert.deepEqual(offered(near), ["OTHER 10.8.0.1", "VXLAN 10.8.0.1"]);
    assert.equal(answer.mechanism?.type, "VXLAN");
    assert.deepEqual([nearIds.of(other).size, nearIds.of(vxlan).size, farIds.of(vxlan).size], [0, 1, 1]);
    const vni = answer.mechanism?.parameters["vni"];
    const again = await near.request(answer);
    assert.equal(again.mechanism?.parameters["vni"], vni, "a refresh keeps it");
    assert.deepEqual([nearIds.of(other).size, nearIds.of(vxlan).size], [0, 1]);
    await near.close(again);
    assert.equal(nearIds.size, 0);
  });
});

test("the far side skips a preference that cannot work and takes the next one", async () => {
  const worlds = new Worlds();
  const settings = { [vxlan.type]: { port: 4790 } };
  const both = [vxlan, other];
  const { near, nearIds, farIds } = ends(worlds, { far: { settings }, nearTypes: both, farTypes: both });
  await worlds.run(async () => {
    assert.equal((await near.request()).mechanism?.type, "OTHER", "the ports for VXLAN differ");
    assert.deepEqual([nearIds.of(vxlan).size, nearIds.of(other).size, farIds.size], [0, 1, 1]);
  });
});

test("a taken identifier is drawn again, up to three requests in all, and refused ones are released", async () => {
  const worlds = new Worlds();
  const both = [other, vxlan];
  let left = 2;
  const { near, nearIds, farIds } = ends(worlds, {
    nearTypes: both,
    farTypes: both,
    onRequest: (request, { farIds: taken }) => {
      const proposed = Number(request.mechanismPreferences[0]?.parameters["key"]);
      if (left-- > 0) taken.of(other).claim(proposed, "somebody");
    },
  });
  await worlds.run(async () => {
    const answer = await near.request();
    const proposals = near.requests.map(({ mechanismPreferences: [first] }) => first?.parameters["key"]);
    assert.equal(new Set(proposals).size, 3);
    assert.deepEqual([answer.mechanism?.type, answer.mechanism?.parameters["key"]], ["OTHER", proposals[2]]);
    assert.deepEqual([nearIds.of(other).size, nearIds.of(vxlan).size], [1, 0]);
    left = 3;
    await assert.rejects(near.request({ id: "c2" }), {
      code: "ALREADY_EXISTS",
      message: /^make a tunnel to 10\.8\.0\.2: key [0-9]+ is taken$/,
    });
    assert.equal(nearIds.size, 1);
    assert.notEqual(farIds.of(other).ownerOf(Number(proposals[2])), undefined, "the first wire has its own");
  });
});

test("a far side that moves to another type releases the identifier of the first type", async () => {
  const worlds = new Worlds();
  const { far, farIds } = ends(worlds, { farTypes: [vxlan, other] });
  await worlds.run(async () => {
    const preference = (type: string, parameters: Record<string, string>) => ({
      preferences: [{ cls: "REMOTE", type, parameters: { src_ip: "10.8.0.1", ...parameters } }],
    });
    await far.request({}, preference("VXLAN", { vni: "7" }));
    assert.deepEqual([farIds.of(vxlan).size, farIds.of(other).size], [1, 0]);
    const moved = await far.request({}, preference("OTHER", { key: "8" }));
    assert.deepEqual([farIds.of(vxlan).size, farIds.of(other).size], [0, 1]);
    await far.close(moved);
    assert.equal(farIds.size, 0);
  });
});

test("a host without an address of its own offers no tunnel", async () => {
  const worlds = new Worlds();
  const { near } = ends(worlds, { near: { addresses: [] } });
  await worlds.run(async () => {
    await assert.rejects(
      near.request(),
      (error) => error instanceof NetloomError && error.topic === "NL-404",
    );
    assert.equal(near.requests.length, 0);
  });
});
