import assert from "node:assert/strict";
import { suite, test } from "node:test";
import type { Guard } from "../../kernel/guard.ts";
import type { KernelMechanism } from "../../mechanisms/kernel/kernel.ts";
import type { PortMechanism } from "../../mechanisms/port/port.ts";
import type { VxlanMechanism } from "../../mechanisms/vxlan/vxlan.ts";
import type { ConnectionContext, Wire } from "../wire.ts";
import { guardsOf } from "./guards.ts";
import { workloadMac } from "./workload-mac.ts";

const client: KernelMechanism = { type: "KERNEL", netns: "file:///run/netns/a", interfaceName: "nsm-1" };
const endpoint: KernelMechanism = { type: "KERNEL", netns: "file:///run/netns/b", interfaceName: "nse-1" };
const port: PortMechanism = { type: "PORT", netns: "inode://4/1", device: "tap0", index: 7 };
const tunnel: VxlanMechanism = {
  type: "VXLAN",
  sourceIp: "10.8.0.1",
  destinationIp: "10.8.0.2",
  vni: 7,
  underlayMtuBytes: 1500,
};
const pair: ConnectionContext = { srcIpAddrs: ["10.0.0.1/32"], dstIpAddrs: ["10.0.0.2/32"] };

function guards(context: ConnectionContext, rest: Partial<Wire> = {}): { client?: Guard; endpoint?: Guard } {
  return guardsOf({ connectionId: "c1", client, endpoint: tunnel, context, ...rest });
}

function sources(context: ConnectionContext, rest: Partial<Wire> = {}): (readonly string[] | undefined)[] {
  const { client: near, endpoint: far } = guards(context, rest);
  return [near?.sources, far?.sources];
}

suite("a side of a wire may send", () => {
  test("only from its own addresses, whatever their prefix length, if nothing is routed to it", () => {
    assert.deepEqual(sources(pair), [["10.0.0.1/32"], ["10.0.0.2/32"]]);
    const both = { srcIpAddrs: ["10.0.0.1/32", "fd00::1/128"], dstIpAddrs: ["10.0.0.2/32", "fd00::2/128"] };
    assert.deepEqual(sources(both)[0], ["10.0.0.1/32", "fd00::1/128"]);
  });

  test("from prefixes that the other side routes into the wire: its routes, and the networks of its addresses", () => {
    const routed = { ...pair, srcRoutes: [{ prefix: "10.9.1.2/16" }], dstRoutes: [{ prefix: "fd07::/48" }] };
    assert.deepEqual(sources(routed), [
      ["10.0.0.1/32", "fd07::/48"],
      ["10.0.0.2/32", "10.9.0.0/16"],
    ]);
    const network = { srcIpAddrs: ["10.0.0.1/24"], dstIpAddrs: ["10.0.0.2/32"] };
    assert.deepEqual(sources(network), [["10.0.0.1/32"], ["10.0.0.0/24", "10.0.0.2/32"]]);
    assert.deepEqual(sources({ srcIpAddrs: ["10.0.0.1/32"], srcRoutes: [{ prefix: "0.0.0.0/0" }] }), [
      ["10.0.0.1/32"],
      ["0.0.0.0/0"],
    ]);
  });

  test("from the destinations of policies; a policy without routes allows everything of its family", () => {
    const policies = [{ dstPort: "80", routes: [{ prefix: "10.3.0.0/16" }] }];
    assert.deepEqual(sources({ ...pair, policies })[1], ["10.0.0.2/32", "10.3.0.0/16"]);
    assert.deepEqual(sources({ ...pair, policies: [{ dstPort: "80" }] })[1], ["0.0.0.0/0", "10.0.0.2/32"]);
    assert.deepEqual(sources({ ...pair, policies: [{ from: "fd00::1/128" }] })[1], ["10.0.0.2/32", "::/0"]);
  });

  test("from the addresses of neighbours in the context", () => {
    const ipNeighbors = [{ ip: "10.0.0.9", hardwareAddress: "02:00:00:00:00:09" }];
    assert.deepEqual(sources({ ...pair, ipNeighbors }), [
      ["10.0.0.1/32", "10.0.0.9/32"],
      ["10.0.0.2/32", "10.0.0.9/32"],
    ]);
    assert.equal(guards({ ...pair, ipNeighbors }, { payload: "ETHERNET" }).client?.mac, undefined);
  });

  test("from any address if the context has none", () => {
    assert.deepEqual(sources({}), [undefined, undefined]);
  });

  test("from one MAC if the wire carries ETHERNET, unless its end is a port of this or another host", () => {
    const wire = (change: Partial<Wire>): Wire => ({
      connectionId: "c1",
      client,
      endpoint: tunnel,
      context: pair,
      ...change,
    });
    const mac = (change: Partial<Wire>) => {
      const { client: near, endpoint: far } = guards(pair, change);
      return [near?.mac, far?.mac];
    };
    const macs = (["client", "endpoint"] as const).map((side) => workloadMac(wire({}), side));
    assert.deepEqual(mac({}), [undefined, undefined]);
    assert.deepEqual(mac({ payload: "IP" }), [undefined, undefined]);
    assert.deepEqual(mac({ payload: "ETHERNET" }), macs);
    assert.deepEqual(mac({ payload: "ETHERNET", client: port }), [undefined, macs[1]]);
    assert.deepEqual(mac({ payload: "ETHERNET", learned: ["endpoint"] }), [macs[0], undefined]);
  });

  test("as a server what the other side asked for; for a workload of another host, that host decides", () => {
    const serves = (change: Partial<Wire>) => {
      const { client: near, endpoint: far } = guards(pair, change);
      return [near?.serves, far?.serves];
    };
    assert.deepEqual(serves({}), [["dhcp", "routers"], undefined]);
    assert.deepEqual(serves({ client: { ...client, dhcp: true } }), [["dhcp", "routers"], ["dhcp"]]);
    assert.deepEqual(serves({ client: port, endpoint }), [undefined, ["dhcp", "routers"]]);
  });

  test("everything if its service checks nothing", () => {
    assert.deepEqual(guards(pair, { guard: "never", payload: "ETHERNET" }), {});
  });
});
