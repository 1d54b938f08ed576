/**
 * The routes of tunnels change while the wires stay as they are:
 *
 *   alpha 10.8.0.1 ===eth0=== 10.8.0.2 beta
 *                  ===eth1===
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { until } from "../../fixtures/async/until.ts";
import { type Hosts, hostsFixture, reaches, remoteWire } from "../../fixtures/forwarder/hosts.ts";
import { WireMaker } from "../../fixtures/forwarder/wire-maker.ts";
import { ipJson } from "../../fixtures/linux/frame.ts";
import { needsRoot } from "../../fixtures/linux/netns.ts";

const CONTEXT = { srcIpAddrs: ["10.0.0.1/32"], dstIpAddrs: ["10.0.0.2/32"] };

/** Whether the `uplink` program is on a device of alpha. */
function isUplink({ net, host }: Hosts, link: string): boolean {
  const ifindex = ipJson(host, "link", "show", "dev", link)[0]?.["ifindex"];
  const pins = ["uplinks", "filters"]
    .map((folder) => `${net.bpffs}/alpha/${folder}`)
    .filter((path) => existsSync(path));
  return pins
    .flatMap((path) => readdirSync(path))
    .some((name) => name.replace("-own", "") === String(ifindex));
}

test(
  "a tunnel uses the device of its present route, and that device gets the uplink program",
  { skip: needsRoot },
  async (t) => {
    const hosts = await hostsFixture(t);
    const [alpha, beta] = [hosts.net.nameOf(hosts.host), hosts.net.nameOf(hosts.other)];
    // Follows the host as an agent does.
    const watch = hosts.alpha.watch();
    t.after(() => watch.close());
    const { near, far } = remoteWire(hosts, CONTEXT);
    await new WireMaker(hosts.alpha).apply(near);
    await new WireMaker(hosts.beta).apply(far);
    await reaches(hosts, hosts.client, "10.0.0.2");
    assert.ok(isUplink(hosts, "eth0"));
    const ip = (...words: readonly string[]): unknown => execFileSync("ip", words);
    ip("-n", alpha, "link", "add", "eth1", "type", "veth", "peer", "name", "eth1", "netns", beta);
    for (const [name, route] of [
      [alpha, "10.8.0.2/32"],
      [beta, "10.8.0.1/32"],
    ] as const) {
      ip("-n", name, "link", "set", "eth1", "up");
      ip("-n", name, "route", "add", route, "dev", "eth1");
    }
    await until(() => isUplink(hosts, "eth1"));
    await reaches(hosts, hosts.client, "10.0.0.2");
    // No process changes anything now: the kernel looks up the route of each packet.
    ip("-n", alpha, "link", "set", "eth1", "down");
    ip("-n", beta, "link", "set", "eth1", "down");
    await reaches(hosts, hosts.client, "10.0.0.2");
    await reaches(hosts, hosts.server, "10.0.0.1");
  },
);

test(
  "an uplink loses its program with the last tunnel, and a route does not bring it back",
  { skip: needsRoot },
  async (t) => {
    const hosts = await hostsFixture(t);
    const watch = hosts.alpha.watch();
    t.after(() => watch.close());
    const { near } = remoteWire(hosts, CONTEXT);
    const maker = new WireMaker(hosts.alpha);
    await maker.apply(near);
    assert.ok(isUplink(hosts, "eth0"));
    await maker.remove(near.connectionId);
    await until(() => !isUplink(hosts, "eth0"));
    execFileSync("ip", ["-n", hosts.net.nameOf(hosts.host), ..."route add 192.0.2.0/24 dev eth0".split(" ")]);
    await until(async () => (await watch.take())?.type === "route");
    assert.ok(!isUplink(hosts, "eth0"));
    await maker.apply(near);
    assert.ok(isUplink(hosts, "eth0"));
  },
);
