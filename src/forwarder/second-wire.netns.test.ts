/** The kernel objects that two wires of one workload may share, and those that they may not. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { needsRoot } from "../../fixtures/linux/netns.ts";
import { NetloomError } from "../errors/errors.ts";
import { holdsExactly, hostsFixture, localWire, reachEachOther } from "../../fixtures/forwarder/hosts.ts";
import { WireMaker } from "../../fixtures/forwarder/wire-maker.ts";
import type { ConnectionContext, Wire } from "./wire.ts";

const v4: ConnectionContext = { srcIpAddrs: ["10.0.0.1/32"], dstIpAddrs: ["10.0.0.2/32"] };
const v6: ConnectionContext = { srcIpAddrs: ["fd00::1/128"], dstIpAddrs: ["fd00::2/128"] };
const dual: ConnectionContext = {
  srcIpAddrs: ["10.0.0.1/32", "fd00::1/128"],
  dstIpAddrs: ["10.0.0.2/32", "fd00::2/128"],
};

for (const { title, first, second, taken } of [
  { title: "the IPv6 peer", first: v6, second: { ...v6, srcIpAddrs: ["fd00::9/128"] }, taken: "fd00::2/128" },
  { title: "both IPv6 addresses", first: v6, second: v6, taken: "fd00::2/128" },
  {
    title: "a route",
    first: { ...v4, srcRoutes: [{ prefix: "10.7.0.0/16" }] },
    second: {
      srcIpAddrs: ["10.1.0.1/32"],
      dstIpAddrs: ["10.1.0.2/32"],
      srcRoutes: [{ prefix: "10.7.0.0/16" }],
    },
    taken: "10.7.0.0/16",
  },
]) {
  test(
    `a second wire with ${title} of the first is refused, and the error names both`,
    { skip: needsRoot },
    async (t) => {
      const hosts = await hostsFixture(t);
      const wires = new WireMaker(hosts.alpha);
      const other = (context: ConnectionContext): Wire => ({
        ...localWire(hosts, context, "c2"),
        client: { type: "KERNEL", netns: hosts.client, interfaceName: "nsm-2" },
        endpoint: { type: "KERNEL", netns: hosts.server, interfaceName: "nse-2" },
      });
      await wires.apply(localWire(hosts, first));
      await assert.rejects(wires.apply(other(second)), (error) => {
        assert.ok(error instanceof NetloomError);
        assert.equal(error.code, "ALREADY_EXISTS");
        assert.match(
          error.message,
          new RegExp(`^make wire c2: add route ${taken} (via \\S+ )?dev nsm-2 .*EEXIST`),
        );
        assert.equal(
          error.hint,
          `the route to ${taken} in ${hosts.client} belongs to wire c1: choose another, or close that wire first: netloom delete wire/c1`,
        );
        return true;
      });
      await hosts.alpha.settle();
      await holdsExactly(hosts.alpha, [hosts.client, hosts.local, hosts.server], localWire(hosts, first));
      await reachEachOther(hosts, hosts.local, first);
      await wires.remove("c1");
      await wires.apply(other(second));
      await reachEachOther(hosts, hosts.server, second);
    },
  );
}

test("a second wire may have the own addresses of the first", { skip: needsRoot }, async (t) => {
  const hosts = await hostsFixture(t);
  const wires = new WireMaker(hosts.alpha);
  await wires.apply(localWire(hosts, dual));
  const context = { ...dual, dstIpAddrs: ["10.0.0.3/32", "fd00::3/128"] };
  await wires.apply({
    ...localWire(hosts, context, "c2"),
    client: { type: "KERNEL", netns: hosts.client, interfaceName: "nsm-2" },
    endpoint: { type: "KERNEL", netns: hosts.server, interfaceName: "nse-2" },
  });
  await reachEachOther(hosts, hosts.local, dual);
  await reachEachOther(hosts, hosts.server, context);
});
