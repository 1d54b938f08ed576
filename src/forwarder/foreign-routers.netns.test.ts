/**
 * The far end of a wire plays the router, with frames of its own:
 *
 *   [client: nsm-1 10.0.0.1, fd00::1]===veth===[local: nse-1 10.0.0.2, fd00::2]
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import {
  be16,
  be32,
  bytes,
  ethernet,
  ETHERTYPE,
  FrameSocket,
  icmpv6,
  ip,
  ipJson,
  mac,
  macOf,
} from "../../fixtures/linux/frame.ts";
import { needsRoot } from "../../fixtures/linux/netns.ts";
import { linkLocalAddress } from "../net/link-local.ts";
import { type Hosts, hostsFixture, localWire, reaches } from "../../fixtures/forwarder/hosts.ts";
import { WireMaker } from "../../fixtures/forwarder/wire-maker.ts";
import type { ConnectionContext, Wire } from "./wire.ts";

const dual: ConnectionContext = {
  srcIpAddrs: ["10.0.0.1/32", "fd00::1/128"],
  dstIpAddrs: ["10.0.0.2/32", "fd00::2/128"],
};
const ADVERTISED_MTU = 1400;

/** RFC 4861 section 4.2: a default router, fd77::/64 for addresses, and an MTU. */
function advertisement(from: string): Uint8Array {
  const lifetimes = bytes([64, 0], be16(1800), be32(0), be32(0));
  const source = bytes([1, 1], mac(from));
  const mtu = bytes([5, 1, 0, 0], be32(ADVERTISED_MTU));
  const prefix = bytes([3, 4, 64, 0xc0], be32(7200), be32(3600), be32(0), ip("fd77::"));
  const body = bytes(lifetimes, source, mtu, prefix);
  const packet = icmpv6({ from: linkLocalAddress(from), to: "ff02::1" }, 134, body);
  return ethernet({ to: "33:33:00:00:00:01", from }, ETHERTYPE.ipv6, packet);
}

/** RFC 4861 section 4.5: `destination` is reached via `target` from now on. */
function redirect(from: string, to: string, target: string, destination: string): Uint8Array {
  const body = bytes(be32(0), ip(target), ip(destination));
  const packet = icmpv6({ from: linkLocalAddress(from), to: linkLocalAddress(to) }, 137, body);
  return ethernet({ to, from }, ETHERTYPE.ipv6, packet);
}

/** The settings that an advertisement may change, as `ip` shows them. */
function network(hosts: Hosts): { routes: string[]; addresses: string[]; mtu: unknown } {
  const routes = ipJson(hosts.client, "-6", "route").filter(({ dst }) => !String(dst).startsWith("fe80"));
  const addresses = ipJson(hosts.client, "-6", "address", "show", "dev", "nsm-1").flatMap(
    ({ addr_info: found }) => found as readonly { readonly local: string }[],
  );
  return {
    routes: routes.map(({ dst }) => String(dst)).toSorted(),
    addresses: addresses.map(({ local }) => local).toSorted(),
    mtu: mtuOfIpv6(hosts),
  };
}

/** An advertisement changes the MTU of IPv6, not that of the device. */
function mtuOfIpv6(hosts: Hosts): number {
  const path = "/proc/sys/net/ipv6/conf/nsm-1/mtu";
  return Number(execFileSync("ip", ["netns", "exec", hosts.net.nameOf(hosts.client), "cat", path]));
}

function nextHop(hosts: Hosts, destination: string): string {
  return String(ipJson(hosts.client, "-6", "route", "get", destination)[0]?.["gateway"]);
}

/** Sends the frames that `frames` builds from the MACs out of the far end. Resolves when the near end has processed them. */
async function play(
  hosts: Hosts,
  ...frames: readonly ((far: string, near: string) => Uint8Array)[]
): Promise<void> {
  const [far, near] = [macOf(hosts.local, "nse-1"), macOf(hosts.client, "nsm-1")];
  const socket = await FrameSocket.open(
    hosts.net.machine,
    { netns: hosts.local, link: "nse-1" },
    ETHERTYPE.ipv6,
  );
  try {
    for (const frame of frames) socket.send(frame(far, near));
  } finally {
    socket.close();
  }
  // A veth queue keeps the order: the answer to a later packet proves that the frames have arrived.
  await reaches(hosts, hosts.local, "fd00::1");
}

async function wired(hosts: Hosts, change: Partial<Wire["client"]> = {}): Promise<string> {
  const wire = localWire(hosts, dual);
  await new WireMaker(hosts.alpha).apply({
    ...wire,
    client: { ...wire.client, ...change } as Wire["client"],
  });
  const router = linkLocalAddress(macOf(hosts.local, "nse-1"));
  const name = hosts.net.nameOf(hosts.client);
  execFileSync("ip", ["-n", name, "-6", "route", "add", "fd99::/64", "via", router, "dev", "nsm-1"]);
  return router;
}

test(
  "a router advertisement and a redirect from the far end of a wire change nothing",
  { skip: needsRoot },
  async (t) => {
    const hosts = await hostsFixture(t);
    const router = await wired(hosts);
    const before = network(hosts);
    await play(hosts, advertisement, (far, near) => redirect(far, near, "fe80::bad", "fd99::1"));
    assert.deepEqual(network(hosts), before);
    assert.equal(nextHop(hosts, "fd99::1"), router);
  },
);

test("a workload that asks for router advertisements takes them", { skip: needsRoot }, async (t) => {
  const hosts = await hostsFixture(t);
  await wired(hosts, { routerAdvertisements: true });
  await play(hosts, advertisement, (far, near) => redirect(far, near, "fe80::bad", "fd99::1"));
  const { routes, addresses, mtu } = network(hosts);
  assert.ok(routes.includes("default") && routes.includes("fd77::/64"), routes.join());
  assert.ok(
    addresses.some((address) => address.startsWith("fd77:")),
    addresses.join(),
  );
  assert.equal(mtu, ADVERTISED_MTU);
  assert.equal(nextHop(hosts, "fd99::1"), "fe80::bad");
});
