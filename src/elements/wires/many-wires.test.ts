/** One workload with a thousand wires: no limit applies to the exclusions for its own wires. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Connection } from "../../api/gen/nsm/connection_pb.js";
import { connectionsOf } from "../../api/hops.ts";
import { Claims } from "../../forwarder/claims/claims.ts";
import type { Netns } from "../../kernel/kernel.ts";
import { Chain } from "../../../fixtures/elements/chain.ts";
import { claimAddresses } from "./claim-addresses.ts";
import { connect } from "../connect.ts";
import { ipam } from "../context/ipam.ts";
import { endpointDevice, offerDevices, serveDevices } from "./devices.ts";
import { mechanisms } from "../mechanisms/mechanisms.ts";
import { translateMechanism } from "../mechanisms/translate-mechanism.ts";
import { Worlds } from "../../../fixtures/elements/world.ts";

/** Number of wires that the workload has before the test, and after it. */
const KNOWN = 992;
const WIRES = 1_000;

/** A client in `pod` with two endpoints that share a pool, in two workloads. */
function scene() {
  const worlds = new Worlds();
  const world = worlds.world("alpha");
  const workload = (name: string): Netns => worlds.machine.createNetns(`/run/netns/${name}`);
  const pod = workload("pod");
  const elsewhere = workload("elsewhere");
  const claims = new Claims(world);
  const pools = [["10.0.0.0/16"], ["fd00::/64"]];
  const endpoints = new Map(
    ["left", "right"].map((name) => {
      const netns = workload(name);
      const chain = new Chain(
        world,
        [mechanisms([endpointDevice({ place: { netns } })]), ipam(name, { pools })],
        {
          name,
        },
      );
      return [name, chain];
    }),
  );
  const hops = new Map([...endpoints].map(([name, { door }]) => [`self:${name}`, connectionsOf(door)]));
  const forwarder = new Chain(
    world,
    [
      {
        name: "discover",
        request: (call, request, next) =>
          next(request, { ...call, nextUrl: `self:${request.connection?.networkService}` }),
      },
      mechanisms([...serveDevices()]),
      translateMechanism(),
      offerDevices(),
      claimAddresses(claims),
    ],
    {
      last: connect(({ nextUrl = "" }) => hops.get(nextUrl) ?? assert.fail(nextUrl)),
    },
  );
  const ask = (n: number): Promise<Connection> =>
    forwarder.request(
      { id: `c${n}`, networkService: n % 2 === 0 ? "left" : "right" },
      {
        preferences: [{ cls: "LOCAL", type: "KERNEL", parameters: { inodeURL: pod, name: `nsm-${n}` } }],
      },
    );
  /** Adds addresses that have no common prefixes, so that each needs its own exclusion: four for each wire. */
  const know = async (n: number): Promise<void> => {
    const context = {
      srcIpAddrs: [`10.0.${n >> 5}.${(n % 32) * 8 + 1}/32`, `fd00::${n.toString(16)}:1/128`],
      dstIpAddrs: [`10.0.${n >> 5}.${(n % 32) * 8 + 2}/32`, `fd00::${n.toString(16)}:2/128`],
    };
    const end = (netns: Netns) => ({ type: "KERNEL", netns, interfaceName: `known-${n}` }) as const;
    await claims.claim({ connectionId: `known-${n}`, client: end(pod), endpoint: end(elsewhere), context });
  };
  return { worlds, forwarder, ask, know };
}

test("a workload with 992 wires in two families can ask for eight more at once, and they are refreshed", async () => {
  const { worlds, forwarder, ask, know } = scene();
  await worlds.run(async () => {
    for (let n = 0; n < KNOWN; n++) await know(n);
    const answers = await Promise.all(Array.from({ length: WIRES - KNOWN }, (_, n) => ask(n)));
    const given = answers.flatMap(({ context }) => [
      ...(context?.ipContext?.srcIpAddrs ?? []),
      ...(context?.ipContext?.dstIpAddrs ?? []),
    ]);
    assert.equal(new Set(given).size, 4 * (WIRES - KNOWN), "no address twice");
    for (const { context } of answers)
      assert.deepEqual(context?.ipContext?.excludedPrefixes, [], "the client excludes nothing itself");
    for (const answer of answers.filter((_, n) => n % 4 === 3)) {
      const renewed = await forwarder.request(answer);
      assert.deepEqual(renewed.context, answer.context);
    }
  });
});
