/** Answers of RTM_GETROUTE on the real kernel beyond the contract: learned MTUs, and rules by port. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test, type TestContext } from "node:test";
import { until } from "../../../fixtures/async/until.ts";
import { needsRoot, netnsFixture } from "../../../fixtures/linux/netns.ts";
import type { Kernel, Netns } from "../../kernel/kernel.ts";

/** `[host]===eth1===[router]===eth2 (mtu 1300)===[far]` */
async function behindRouter(t: TestContext) {
  const net = await netnsFixture(t);
  const [host, router, far] = [await net.netns(), await net.netns(), await net.netns()];
  const ip = (netns: Netns, ...words: readonly string[]): string =>
    execFileSync("ip", ["-n", net.nameOf(netns), ...words], { encoding: "utf8" });
  const exec = (netns: Netns, script: string): unknown =>
    execFileSync("ip", ["netns", "exec", net.nameOf(netns), "bash", "-c", script], { stdio: "ignore" });
  ip(host, "link", "add", "eth1", "type", "veth", "peer", "name", "eth1", "netns", net.nameOf(router));
  ip(
    far,
    "link",
    "add",
    "eth2",
    "mtu",
    "1300",
    "type",
    "veth",
    "peer",
    "name",
    "eth2",
    "netns",
    net.nameOf(router),
  );
  ip(router, "link", "set", "eth2", "mtu", "1300");
  for (const [netns, link, address] of [
    [host, "eth1", "10.1.0.1/24"],
    [router, "eth1", "10.1.0.9/24"],
    [router, "eth2", "10.2.0.9/24"],
    [far, "eth2", "10.2.0.2/24"],
  ] as const) {
    ip(netns, "address", "add", address, "dev", link);
    ip(netns, "link", "set", link, "up");
  }
  exec(router, "echo 1 > /proc/sys/net/ipv4/ip_forward");
  ip(host, "route", "add", "10.2.0.0/16", "via", "10.1.0.9");
  const kernel = await net.kernel({ host });
  return { kernel, host, ip, exec };
}

async function mtuTo(kernel: Kernel, to: string, udpPort?: number): Promise<number | undefined> {
  const [way] = await kernel.ways([{ netns: "host", to, ...(udpPort !== undefined && { udpPort }) }]);
  return way && "mtuBytes" in way ? way.mtuBytes : undefined;
}

test("a PMTU exception is not part of the route", { skip: needsRoot }, async (t) => {
  const { kernel, host, ip, exec } = await behindRouter(t);
  await until(() => {
    // UDP is not fragmented until the path MTU is known (IP_PMTUDISC_WANT is the default).
    exec(host, "head -c 1400 /dev/zero > /dev/udp/10.2.0.2/9");
    return /mtu 1300/.test(ip(host, "route", "get", "10.2.0.2"));
  });
  assert.equal(await mtuTo(kernel, "10.2.0.2"), 1500);
});

test("a rule for a UDP port applies to tunnel packets", { skip: needsRoot }, async (t) => {
  const { kernel, host, ip } = await behindRouter(t);
  ip(host, "route", "add", "10.2.0.0/16", "via", "10.1.0.9", "mtu", "1350", "table", "77");
  ip(host, "rule", "add", "ipproto", "udp", "dport", "4789", "table", "77");
  assert.equal(await mtuTo(kernel, "10.2.0.2"), 1500);
  assert.equal(await mtuTo(kernel, "10.2.0.2", 4789), 1350);
  assert.equal(await mtuTo(kernel, "10.2.0.2", 4790), 1500);
});

test("the IPv6 MTU of a device limits IPv6 only", { skip: needsRoot }, async (t) => {
  const { kernel, host, ip, exec } = await behindRouter(t);
  ip(host, "address", "add", "fd00:1::1/64", "dev", "eth1", "nodad");
  exec(host, "echo 1400 > /proc/sys/net/ipv6/conf/eth1/mtu");
  assert.equal(await mtuTo(kernel, "fd00:1::9"), 1400);
  assert.equal(await mtuTo(kernel, "10.1.0.9"), 1500);
});

test("a route by a next-hop object has the MTU of its device", { skip: needsRoot }, async (t) => {
  const { kernel, host, ip, exec } = await behindRouter(t);
  exec(host, "echo 0 > /proc/sys/net/ipv4/nexthop_compat_mode");
  ip(host, "nexthop", "add", "id", "7", "via", "10.1.0.9", "dev", "eth1");
  ip(host, "route", "add", "10.5.0.0/16", "nhid", "7");
  assert.equal(await mtuTo(kernel, "10.5.0.1"), 1500);
});

test("an address is tentative until its device has a carrier", { skip: needsRoot }, async (t) => {
  const { kernel, host, ip } = await behindRouter(t);
  ip(host, "link", "add", "eth8", "type", "veth", "peer", "name", "far8");
  ip(host, "link", "set", "eth8", "up");
  ip(host, "address", "add", "fd00:8::1/64", "dev", "eth8");
  const [own] = await kernel.addresses([{ netns: "host", address: "fd00:8::1" }]);
  assert.deepEqual(own, { link: "eth8", state: "tentative", isUp: true, hasCarrier: false });
});
