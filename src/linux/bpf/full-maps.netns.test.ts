/** Full maps of the data path: further requests are refused with a clear error and leave nothing behind. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { holdsExactly, hostsFixture, reachEachOther, remoteWire } from "../../../fixtures/forwarder/hosts.ts";
import { WireMaker } from "../../../fixtures/forwarder/wire-maker.ts";
import { needsRoot, netnsFixture } from "../../../fixtures/linux/netns.ts";
import { objectWithSmallMap } from "../../../fixtures/linux/small-object.ts";
import { close } from "../libc/syscall.ts";
import { forEachElement, getPinned, mapShape } from "./bpf.ts";
import { Datapath } from "./datapath.ts";
import type { TunnelEntry } from "./tunnel-entry.ts";
import { possibleCpus } from "./wire-map.ts";

const skip = needsRoot;
/** Netloom's device indexes use all bits except the sign. */
const HIGH = 2 ** 31 - 2;
const MAPS = ["wires", "sources", "grants", "tunnels", "arrivals4", "arrivals6"] as const;
/** Keys and values of the maps with an entry for each wire. */
function entries(bpffs: string): Record<string, string[]> {
  return Object.fromEntries(
    MAPS.map((name) => {
      const map = getPinned(join(bpffs, name));
      assert.ok(map !== undefined);
      const { keyBytes, valueBytes } = mapShape(map);
      const found: string[] = [];
      const sizes = { keyBytes, valueBytes: name === "wires" ? valueBytes * possibleCpus() : valueBytes };
      forEachElement(map, sizes, (key, value) =>
        found.push(`${key.toString("hex")} ${name === "wires" ? "" : value.toString("hex")}`),
      );
      close(map);
      return [name, found.toSorted()];
    }),
  );
}

function full(map: string, maxEntries: number): { code: string; message: RegExp; hint: RegExp } {
  return {
    code: "RESOURCE_EXHAUSTED",
    message: new RegExp(
      `E(?:2BIG|NOSPC): the map ${map} of the data path is full: all of its ${maxEntries} entries are taken$`,
    ),
    hint: /close wires of this host/,
  };
}

async function small(
  t: TestContext,
  map: (typeof MAPS)[number],
  maxEntries: number,
): Promise<[Datapath, string]> {
  const stack = new DisposableStack();
  t.after(() => stack.dispose());
  const { bpffs } = await netnsFixture(t);
  const datapath = Datapath.open(bpffs, { object: objectWithSmallMap(map, maxEntries) });
  stack.defer(() => datapath.destroy());
  return [datapath, bpffs];
}

const tunnel = (vni: number): TunnelEntry => ({
  vni,
  local: "10.8.0.1",
  remote: "10.8.0.2",
  port: 4789,
  mac: "02:00:00:00:00:01",
  guard: { sources: [`10.0.0.${vni}/32`], mac: "02:00:00:00:00:02", serves: ["dhcp"] },
});

for (const map of ["wires", "sources", "grants", "tunnels", "arrivals4"] as const)
  test(`a tunnel that does not fit into ${map} leaves no entry in any map`, { skip }, async (t) => {
    const [datapath, bpffs] = await small(t, map, 2);
    for (const n of [1, 2]) datapath.openTunnel(n, tunnel(n));
    const before = entries(bpffs);
    assert.throws(() => datapath.openTunnel(3, tunnel(3)), full(map, 2));
    assert.deepEqual(entries(bpffs), before);
    datapath.closeTunnel(1);
    datapath.openTunnel(3, tunnel(3));
    assert.deepEqual(datapath.tunnel(3), tunnel(3));
    assert.equal(datapath.tunnel(1), undefined);
  });

test("a tunnel that does not fit leaves another device's arrivals alone", { skip }, async (t) => {
  const [datapath, bpffs] = await small(t, "tunnels", 1);
  datapath.openTunnel(1, { ...tunnel(1), isAlone: true });
  const before = entries(bpffs);
  assert.throws(() => datapath.openTunnel(2, tunnel(1)), full("tunnels", 1));
  assert.deepEqual(entries(bpffs), before);
});

test("a tunnel can be changed while its map is full if arrivals has room", { skip }, async (t) => {
  const [datapath, bpffs] = await small(t, "tunnels", 1);
  datapath.openTunnel(1, tunnel(1));
  datapath.openTunnel(1, tunnel(2));
  assert.deepEqual(datapath.tunnel(1), tunnel(2));
  assert.equal(datapath.tunnels.arrival(tunnel(1)), undefined);
  assert.equal(entries(bpffs)["arrivals4"]?.length, 1);
});

test(
  "the allowed sources are replaced as a whole, however many, and can be read back",
  { skip },
  async (t) => {
    const [datapath, bpffs] = await small(t, "sources", 16);
    const from = (first: number, count: number): string[] =>
      Array.from({ length: count }, (_, i) => `10.${first + i}.0.0/16`).sort();
    const guarded = (sources: readonly string[]) =>
      ({ ifindex: HIGH, verdict: "pass", guard: { sources } }) as const;
    datapath.bind(guarded(from(0, 16)), () => false);
    for (const sources of [from(0, 11), [], from(3, 9), ["::/0", "fd00::/64"], [], from(0, 16)]) {
      datapath.change(guarded(sources));
      assert.deepEqual(datapath.action(HIGH), { verdict: "pass", guard: { sources } });
    }
    const before = entries(bpffs);
    assert.throws(() => datapath.change(guarded(from(10, 16))), full("sources", 16));
    assert.deepEqual(entries(bpffs), before);
    datapath.unbind(HIGH);
    assert.deepEqual(Object.values(entries(bpffs)).flat(), []);
  },
);

test(
  "a remote wire that does not fit is refused as a whole, and the existing wires keep working",
  { skip },
  async (t) => {
    const hosts = await hostsFixture(t);
    const bpffs = join(hosts.net.bpffs, "alpha");
    // The maps stay pinned, and the host adopts them.
    Datapath.open(bpffs, { object: objectWithSmallMap("tunnels", 2) }).close();
    const wireOf = (n: number): ReturnType<typeof remoteWire> => {
      const context = { srcIpAddrs: [`10.${n}.0.1/32`], dstIpAddrs: [`10.${n}.0.2/32`] };
      const { near, far } = remoteWire(hosts, context, { connectionId: `c${n}`, vni: n });
      return {
        near: { ...near, client: { type: "KERNEL", netns: hosts.client, interfaceName: `nsm-${n}` } },
        far: { ...far, endpoint: { type: "KERNEL", netns: hosts.server, interfaceName: `nse-${n}` } },
      };
    };
    const [first, second, third] = [wireOf(1), wireOf(2), wireOf(3)];
    const [alpha, beta] = [new WireMaker(hosts.alpha), new WireMaker(hosts.beta)];
    for (const { near, far } of [first, second]) {
      await alpha.apply(near);
      await beta.apply(far);
    }
    const before = entries(bpffs);
    await assert.rejects(alpha.apply(third.near), full("tunnels", 2));
    assert.deepEqual(entries(bpffs), before);
    await holdsExactly(hosts.alpha, [hosts.client], first.near, second.near);
    for (const { near } of [first, second]) await reachEachOther(hosts, hosts.server, near.context);
    await alpha.remove("c1");
    await alpha.apply(third.near);
    await beta.apply(third.far);
    await reachEachOther(hosts, hosts.server, third.near.context);
  },
);
