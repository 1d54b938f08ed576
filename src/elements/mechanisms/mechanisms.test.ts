import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { copyMessage } from "../../api/copy-message.ts";
import fc from "fast-check";
import { type Mechanism, MechanismSchema } from "../../api/gen/nsm/connection_pb.js";
import { interfaceNameProblem } from "../../net/interface-name.ts";
import { SimRandom } from "../../sim/random.ts";
import type { Random } from "../../world/world.ts";
import { NetloomError } from "../../errors/errors.ts";
import { KernelError } from "../../kernel/kernel.ts";
import { Chain, towards } from "../../../fixtures/elements/chain.ts";
import { interfaceName } from "../wires/interface-name.ts";
import { endpointDevice, offerDevices, serveDevices } from "../wires/devices.ts";
import { localMechanisms } from "./local-mechanisms.ts";
import { TunnelWays } from "../../forwarder/ways/tunnel-ways.ts";
import { fitTunnel } from "./fit-tunnel.ts";
import { mechanisms } from "./mechanisms.ts";
import { metrics } from "../path/metrics.ts";
import { translateMechanism } from "./translate-mechanism.ts";
import { IdentifierPool, IdentifierPools } from "../../mechanisms/identifier-pool.ts";
import { MECHANISMS, readMechanism } from "../../mechanisms/list.ts";
import { vxlan as vxlanType } from "../../mechanisms/vxlan/vxlan.ts";
import { taken } from "./tunnel-options.ts";
import { tunnelServers } from "./tunnel-servers.ts";
import { tunnels as offerTunnels } from "./tunnels.ts";
import { Worlds } from "../../../fixtures/elements/world.ts";
import { authorizeBy, RULES } from "../../policy/rules.ts";
import { peerNamed } from "../../../fixtures/world/peer.ts";

const kernel = (name: string, inodeURL = "file:///run/netns/a") => ({
  cls: "LOCAL",
  type: "KERNEL",
  parameters: { name, inodeURL },
});
const vxlan = (parameters: Record<string, string>) => ({ cls: "REMOTE", type: "VXLAN", parameters });

test("the first supported preference is taken and kept; if none is supported, the error has upstream's text", async () => {
  const worlds = new Worlds();
  const chain = new Chain(worlds.world("alpha"), [mechanisms([...serveDevices()])]);
  await worlds.run(async () => {
    const preferences = [{ cls: "LOCAL", type: "MEMIF" }, kernel("nsm-1"), kernel("nsm-2")];
    const first = await chain.request({}, { preferences });
    assert.equal(first.mechanism?.parameters["name"], "nsm-1");
    const again = await chain.request(first, { preferences: [kernel("nsm-3")] });
    assert.equal(again.mechanism?.parameters["name"], "nsm-1", "the connection's own wins");
    await assert.rejects(chain.request({ id: "c2" }, { preferences: [{ type: "SRV6" }] }), {
      code: "INVALID_ARGUMENT",
      message: /cannot support any of the requested mechanism: SRV6; supported: KERNEL, PORT$/,
    });
    await assert.rejects(
      chain.request({ id: "c3", mechanism: create(MechanismSchema, { type: "SRV6" }) }),
      /unsupported mechanism SRV6; supported: KERNEL, PORT$/,
    );
    await assert.rejects(chain.request({ id: "c4" }, { preferences: [kernel("x".repeat(200))] }), {
      code: "INVALID_ARGUMENT",
      message: /the interface name "x{60}…" has 200 bytes; Linux takes 15$/,
    });
  });
});

test("a device without a name gets a name made from the service's name, the same at each request of a connection", async () => {
  const worlds = new Worlds();
  const chain = new Chain(worlds.world("alpha"), [mechanisms([...serveDevices()])]);
  await worlds.run(async () => {
    const first = await chain.request(
      { networkService: "a-very-long/service" },
      { preferences: [kernel("")] },
    );
    assert.match(first.mechanism?.parameters["name"] ?? "", /^a-very-lon-[0-9A-Za-z]{4}$/);
  });
  fc.assert(
    fc.property(fc.string(), fc.uuid(), fc.nat(5), (service, connectionId, n) => {
      const name = interfaceName(new SimRandom("1", "alpha"), service, { connectionId, n });
      assert.equal(interfaceNameProblem(name), undefined);
      assert.equal(name.length, 15);
    }),
  );
});

test("an endpoint's device goes into its own workload, under a name that no other connection has", async () => {
  const worlds = new Worlds();
  const own = endpointDevice({ place: { netns: "file:///run/netns/own" }, nameOf: () => "nse" });
  const chain = new Chain(worlds.world("alpha"), [mechanisms([own])]);
  await worlds.run(async () => {
    const preferences = [kernel("evil", "file:///proc/1/ns/net")];
    const first = await chain.request({}, { preferences });
    assert.deepEqual(first.mechanism?.parameters, { name: "nse", inodeURL: "file:///run/netns/own" });
    const second = await chain.request({ id: "c2" }, { preferences });
    assert.match(second.mechanism?.parameters["name"] ?? "", /^shop-[0-9A-Za-z]{10}$/);
    assert.equal((await chain.request({}, { preferences })).mechanism?.parameters["name"], "nse");
    await chain.close(first);
    assert.equal((await chain.request({ id: "c3" }, { preferences })).mechanism?.parameters["name"], "nse");
  });
});

test("a caller cannot set which routers an endpoint's workload trusts", async () => {
  const worlds = new Worlds();
  const netns = "file:///run/netns/own";
  const preference = { ...kernel("evil"), parameters: { name: "evil", routerAdvertisements: "true" } };
  await worlds.run(async () => {
    for (const [routerAdvertisements, said] of [
      [undefined, undefined],
      [true, "true"],
    ] as const) {
      const own = endpointDevice({ place: { netns }, nameOf: () => "nse", trust: { routerAdvertisements } });
      const chain = new Chain(worlds.world("alpha"), [mechanisms([own])]);
      const { mechanism } = await chain.request({}, { preferences: [preference] });
      assert.equal(mechanism?.parameters["routerAdvertisements"], said);
    }
  });
});

test("callers on other hosts may not request LOCAL mechanisms", async () => {
  const worlds = new Worlds();
  const chain = new Chain(worlds.world("alpha"), [localMechanisms(authorizeBy(RULES))]);
  await worlds.run(async () => {
    const caller = { ...chain.caller(), peer: peerNamed("tcp:10.0.0.9") };
    const preferences = [kernel("a"), { type: "KERNEL" }, { type: "MEMIF" }, vxlan({})];
    await chain.request({}, { caller, preferences });
    assert.deepEqual(
      chain.requests[0]?.mechanismPreferences.map(({ type }) => type),
      ["VXLAN"],
    );
    const mechanism = create(MechanismSchema, kernel("a"));
    await assert.rejects(chain.request({ id: "c2", mechanism }, { caller }), { code: "PERMISSION_DENIED" });
    await chain.request({ id: "c3", mechanism }, { preferences });
    assert.equal(chain.requests.at(-1)?.mechanismPreferences.length, 4);
  });
});

test("the next station is offered mechanisms that reach it, and the caller sees its own mechanism", async () => {
  const worlds = new Worlds();
  const world = worlds.world("alpha");
  const identifiers = new IdentifierPools(world.random);
  const tunnels = {
    addresses: ["10.8.0.1", "fd00::1"],
    ways: new TunnelWays({ kernel: world.kernel, mostBytes: 1500 }),
    identifiers,
  };
  let url = "unix:///nse.sock";
  const chain = new Chain(world, [
    { name: "towards", request: (call, request, next) => next(request, { ...call, nextUrl: url }) },
    mechanisms([...serveDevices()]),
    translateMechanism(),
    offerDevices(),
    offerTunnels(tunnels),
    metrics(world.kernel),
    fitTunnel(tunnels),
  ]);
  chain.answer = (connection) => {
    // The last preference: the far side has IPv6 only.
    connection.mechanism ??= copyMessage(chain.requests.at(-1)?.mechanismPreferences.at(-1) as Mechanism);
    if (connection.mechanism.type === "VXLAN") connection.mechanism.parameters["dst_ip"] = "fd00::2";
  };
  const sent = () => ({
    kept: chain.requests.at(-1)?.connection?.mechanism?.type,
    offered: chain.requests.at(-1)?.mechanismPreferences.map(({ type }) => type),
  });
  await worlds.run(async () => {
    const preferences = [kernel("nsm-1")];
    const local = await chain.request({}, { preferences });
    assert.deepEqual(sent(), { kept: undefined, offered: ["KERNEL", "PORT"] });
    assert.equal(local.mechanism?.parameters["name"], "nsm-1");
    assert.deepEqual(local.path?.pathSegments[1]?.metrics, {
      node_name: "alpha",
      server_interface: "KERNEL/nsm-1",
      client_interface: "PORT/unknown",
    });
    await chain.request(local);
    assert.deepEqual(sent(), { kept: "PORT", offered: ["KERNEL", "PORT"] });
    url = "tcp://[fd00::2]:5001";
    const remote = await chain.request(local);
    assert.deepEqual(sent(), { kept: undefined, offered: ["VXLAN", "VXLAN"] });
    const [v4, v6] = chain.requests.at(-1)?.mechanismPreferences.map(({ parameters }) => parameters) ?? [];
    const parameters = v4;
    assert.deepEqual({ ...v4, vni: "" }, { src_ip: "10.8.0.1", src_port: "4789", MTU: "1446", vni: "" });
    const ipv6 = { src_ip: "fd00::1", src_port: "4789", MTU: "1426", vni: "", srcZeroChecksums: "true" };
    assert.deepEqual({ ...v6, vni: "" }, ipv6);
    assert.equal(v4?.["vni"], v6?.["vni"], "whichever is taken");
    assert.equal(remote.context?.MTU, 1426);
    await chain.request(remote);
    assert.deepEqual(sent(), { kept: "VXLAN", offered: ["VXLAN", "VXLAN"] });
    assert.equal(chain.requests.at(-1)?.mechanismPreferences[0]?.parameters["vni"], parameters?.["vni"]);
    assert.equal(identifiers.size, 1);
    await chain.close(remote);
    assert.equal(identifiers.size, 0);
  });
});

test("the far side keeps a free VNI, draws one if none is proposed, and uses the smaller MTU", async () => {
  const worlds = new Worlds();
  const world = worlds.world("beta");
  const identifiers = new IdentifierPools(world.random);
  const vnis = identifiers.of(vxlanType);
  const chain = new Chain(world, [
    mechanisms(
      tunnelServers({
        addresses: ["10.8.0.2"],
        ways: new TunnelWays({ kernel: world.kernel, mostBytes: 1400 }),
        identifiers,
      }),
    ),
  ]);
  await worlds.run(async () => {
    const ask = (id: string, parameters: Record<string, string>) =>
      chain.request({ id }, { preferences: [vxlan(parameters)] });
    const first = await ask("c1", { src_ip: "10.8.0.1", src_port: "4789", vni: "7", MTU: "1446" });
    assert.deepEqual(first.mechanism?.parameters, {
      src_ip: "10.8.0.1",
      src_port: "4789",
      dst_ip: "10.8.0.2",
      dst_port: "4789",
      vni: "7",
      MTU: "1346",
    });
    assert.equal(first.context?.MTU, 1346);
    await assert.rejects(ask("c2", { src_ip: "10.8.0.1", vni: "7" }), {
      code: "ALREADY_EXISTS",
      message: "make a tunnel to 10.8.0.2: VNI 7 is taken",
    });
    assert.equal(vnis.size, 1);
    const drawn = await ask("c2", { src_ip: "10.8.0.1" });
    assert.ok(Number(drawn.mechanism?.parameters["vni"]) >= 4096);
    assert.equal(vnis.size, 2);
    await ask("c1", { src_ip: "10.8.0.1", vni: "8" });
    assert.deepEqual([vnis.ownerOf(7), typeof vnis.ownerOf(8)], [undefined, "string"], "it has moved");
    await chain.close(first);
    assert.equal(vnis.size, 1);
    for (const [parameters, message] of [
      [{ src_ip: "x" }, /src_ip "x" is not an address/],
      [{ src_ip: "fd00::1" }, /this host has no IPv6 address for tunnels/],
      [{ src_ip: "10.8.0.1", src_port: "8472" }, /it uses UDP port 8472, and this host 4789/],
    ] as const) {
      await assert.rejects(ask("c3", parameters), { code: "INVALID_ARGUMENT", message });
    }
  });
});

test("an endpoint's ALREADY_EXISTS does not refuse the VNI", async () => {
  const worlds = new Worlds();
  const world = worlds.world("beta");
  const refused = new NetloomError("ALREADY_EXISTS", "call nse: client name already registered");
  const chain = new Chain(world, [
    mechanisms(
      tunnelServers({
        addresses: ["10.8.0.2"],
        ways: new TunnelWays({ kernel: world.kernel }),
        identifiers: new IdentifierPools(world.random),
      }),
    ),
  ]);
  chain.answer = () => {
    throw refused;
  };
  await worlds.run(async () => {
    await assert.rejects(
      chain.request({ id: "c1" }, { preferences: [vxlan({ src_ip: "10.8.0.1", vni: "7" })] }),
      refused,
    );
  });
});

test("after a restart a tunnel's VNI is proposed again, and a refused VNI is released", async () => {
  const worlds = new Worlds();
  const world = worlds.world("alpha");
  const identifiers = new IdentifierPools(world.random);
  const vnis = identifiers.of(vxlanType);
  const recall = (id: string) => (id === "c1" ? 77 : undefined);
  const chain = new Chain(world, [
    towards("tcp://10.8.0.2:5001"),
    offerTunnels({
      addresses: ["10.8.0.1"],
      ways: new TunnelWays({ kernel: world.kernel, mostBytes: 1500 }),
      identifiers,
      recall,
    }),
  ]);
  const proposed = () => chain.requests.map((each) => each.mechanismPreferences[0]?.parameters["vni"]);
  await worlds.run(async () => {
    let left = 0;
    chain.answer = () => {
      const vni = proposed().at(-1);
      if (left-- > 0) throw taken(vxlanType, { id: Number(vni), host: "10.8.0.2" });
    };
    const answer = await chain.request();
    assert.deepEqual(proposed(), ["77"]);
    left = 1;
    await chain.request(answer);
    assert.equal(proposed().length, 3);
    assert.equal(proposed()[1], "77");
    assert.equal(vnis.size, 1);
    assert.ok(!vnis.ownerOf(77));
    left = 3;
    await assert.rejects(chain.request(answer), { code: "ALREADY_EXISTS" });
    assert.equal(vnis.ownerOf(Number(proposed()[2])) !== undefined, true, "the old tunnel keeps its VNI");
    assert.equal(vnis.size, 1);
    chain.answer = () => {
      throw new KernelError("ALREADY_EXISTS", "add veth nsm-1: EEXIST: interface exists", {
        errno: "EEXIST",
      });
    };
    const before = proposed().length;
    await assert.rejects(chain.request({ id: "c2" }));
    assert.equal(proposed().length, before + 1, "another clash is not its business");
    assert.equal(vnis.size, 1);
    chain.answer = () => {
      throw new NetloomError(
        "ALREADY_EXISTS",
        `make a tunnel to 10.8.0.2: VNI ${proposed().at(-1)} is taken`,
      );
    };
    await assert.rejects(chain.request({ id: "c3" }));
    assert.equal(proposed().length, before + 4, "a host of release 0.1.0 gives no reasons");
    assert.equal(new Set(proposed().slice(-3)).size, 3);
  });
});

test("a VNI never has two owners, whatever is taken, claimed and released", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.constantFrom("take", "claim", "release"), fc.nat(4), fc.nat(4096 + 10))),
      (steps) => {
        const pool = new IdentifierPool(new SimRandom("1", "alpha"), vxlanType.identifier);
        const model = new Map<number, string>();
        for (const [verb, who, vni] of steps) {
          const owner = `o${who}`;
          if (verb === "take") {
            const taken = pool.take(owner);
            assert.ok(!model.has(taken) && taken > 0 && taken < 2 ** 24);
            model.set(taken, owner);
          } else if (verb === "claim") {
            assert.equal(pool.claim(vni, owner), (model.get(vni) ?? owner) === owner);
            if (!model.has(vni)) model.set(vni, owner);
          } else {
            pool.release(vni, owner);
            if (model.get(vni) === owner) model.delete(vni);
          }
        }
        assert.equal(pool.size, model.size);
      },
    ),
  );
});

test("a wire draws no VNI from the range of LANs, or from the small numbers that users choose", () => {
  for (const [fraction, vni] of [
    [0, 4_096],
    [1 - 2 ** -40, 0xef_ffff],
  ] as const)
    assert.equal(
      new IdentifierPool({ fraction: () => fraction } as unknown as Random, vxlanType.identifier).take("o"),
      vni,
    );
});

test("any parameters are either read or refused with INVALID_ARGUMENT and less than a kilobyte of text", () => {
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.constantFrom(
      "10.8.0.1",
      "fd00::1",
      "4789",
      "16777216",
      "0",
      "-1",
      "file:///x",
      "inode://4/5",
      "nsm-1",
      "1e3",
    ),
  );
  const keys = ["inodeURL", "name", "src_ip", "dst_ip", "src_port", "dst_port", "vni", "MTU"];
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom(...keys), text), (parameters) => {
      for (const { type } of MECHANISMS) {
        try {
          readMechanism({ type, parameters });
        } catch (error) {
          assert.ok(error instanceof NetloomError && error.code === "INVALID_ARGUMENT");
          assert.ok(error.message.length < 1_000);
        }
      }
    }),
  );
});
