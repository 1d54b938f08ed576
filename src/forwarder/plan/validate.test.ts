import assert from "node:assert/strict";
import { test } from "node:test";
import type { Netns } from "../../kernel/kernel.ts";
import { validateWire } from "./validate.ts";
import type { ConnectionContext, Wire } from "../wire.ts";
import type { KernelMechanism } from "../../mechanisms/kernel/kernel.ts";
import type { VxlanMechanism } from "../../mechanisms/vxlan/vxlan.ts";

const client: KernelMechanism = { type: "KERNEL", netns: "file:///run/netns/a", interfaceName: "nsm-1" };
const tunnel: VxlanMechanism = {
  type: "VXLAN",
  sourceIp: "10.8.0.1",
  destinationIp: "10.8.0.2",
  vni: 7,
  underlayMtuBytes: 1500,
};

function wire(parts: Partial<Wire>): Wire {
  return { connectionId: "c1", client, endpoint: tunnel, context: {}, ...parts };
}

const pair = { srcIpAddrs: ["10.0.0.1/24"], dstIpAddrs: ["10.0.0.2/24"] };

const named = (interfaceName: string): Partial<Wire> => ({ client: { ...client, interfaceName } });
const tunnelled = (change: Partial<VxlanMechanism>): Partial<Wire> => ({
  endpoint: { ...tunnel, ...change },
});
const context = (change: ConnectionContext): Partial<Wire> => ({ context: { ...pair, ...change } });

test("a wire that can be planned has no problems", () => {
  assert.deepEqual(validateWire(wire({})), []);
  assert.deepEqual(validateWire(wire(context({ srcMac: "", mtuBytes: 0 }))), []);
  assert.deepEqual(validateWire(wire({ client: tunnel, endpoint: client })), []);
  assert.deepEqual(validateWire(wire({ client: { ...tunnel, vni: 8 } })), []);
  assert.deepEqual(
    validateWire(wire({ context: { srcIpAddrs: ["10.0.0.1/24"], srcRoutes: [{ prefix: "10.9.0.0/16" }] } })),
    [],
  );
});

const cases: readonly (readonly [string, Partial<Wire>, RegExp])[] = [
  ["an empty id", { connectionId: "" }, /^The connection id is empty\.$/],
  ["an id too long for an alias", { connectionId: "x".repeat(243) }, /has 243 bytes/],
  ["a long interface name", named("0123456789abcdef"), /"0123456789abcdef" has 16 bytes; Linux takes 15\.$/],
  ["an empty interface name", named(""), /is empty/],
  ["a slash in a name", named("a/b"), /does not take/],
  ["white space in a name", named("a b"), /does not take/],
  ["a pattern as a name", named("eth%d"), /does not take/],
  ["a word of sysctl as a name", named("all"), /keeps for itself/],
  [
    "no namespace",
    { client: { ...client, netns: "file://a" as Netns } },
    /neither file:\/\/\/path nor inode/,
  ],
  ["both ends the same device", { endpoint: client }, /^Both ends are the interface nsm-1/],
  ["two tunnels of one VNI", { client: tunnel }, /^Both tunnels have the VNI 7\.$/],
  ["a VNI of 0", tunnelled({ vni: 0 }), /^The VNI 0 is not from 1 to 16777215\.$/],
  ["a VNI too large", tunnelled({ vni: 2 ** 24 }), /^The VNI 16777216/],
  ["a port too large", tunnelled({ port: 65536 }), /UDP port 65536/],
  ["a tunnel of two families", tunnelled({ destinationIp: "fd08::2" }), /of two families/],
  ["a tunnel to itself", tunnelled({ destinationIp: "10.8.0.1" }), /to itself/],
  ["an invalid VTEP", tunnelled({ sourceIp: "10.8.0" }), /source "10\.8\.0" is not an IP address/],
  [
    "no address",
    context({ srcIpAddrs: ["10.0.0.1"] }),
    /client's address "10\.0\.0\.1" is not an address with prefix/,
  ],
  ["a multicast address", context({ srcIpAddrs: ["224.0.0.1/32"] }), /not one that an interface can have/],
  [
    "an address given twice",
    context({ dstIpAddrs: ["10.0.0.1/32"] }),
    /^The address 10\.0\.0\.1 is given twice\.$/,
  ],
  [
    "a family at one end only",
    context({ srcIpAddrs: ["fd00::1/64"] }),
    /^Only the client has an IPv6 address/,
  ],
  ["an invalid MAC", context({ srcMac: "02:00" }), /client's MAC address, "02:00", is not a MAC/],
  ["a group MAC", context({ dstMac: "01:00:5e:00:00:01" }), /endpoint's MAC address, .* is not unicast/],
  [
    "one MAC for both",
    context({ srcMac: "02:00:00:00:00:0A", dstMac: "02:00:00:00:00:0a" }),
    /^Both ends have the MAC/,
  ],
  [
    "a neighbour without MAC",
    context({ ipNeighbors: [{ ip: "10.0.0.9", hardwareAddress: "x" }] }),
    /neighbour 10\.0\.0\.9/,
  ],
  [
    "an unreachable next hop",
    context({ srcRoutes: [{ prefix: "10.9.0.0/16", nextHop: "10.1.0.1" }] }),
    /next hop 10\.1\.0\.1, which no network/,
  ],
  [
    "its own address as next hop",
    context({ srcRoutes: [{ prefix: "10.9.0.0/16", nextHop: "10.0.0.1" }] }),
    /own address/,
  ],
  [
    "a next hop of the other family",
    context({ srcRoutes: [{ prefix: "10.9.0.0/16", nextHop: "fd00::1" }] }),
    /other family/,
  ],
  [
    "a route without source",
    context({ srcRoutes: [{ prefix: "fd09::/48" }] }),
    /has no source: the client has no IPv6 address/,
  ],
  ["an invalid route", context({ srcRoutes: [{ prefix: "10.9.0.0" }] }), /has no valid prefix/],
  [
    "a route with two next hops",
    context({ srcRoutes: [{ prefix: "0.0.0.0/0" }, { prefix: "0.0.0.0/0", nextHop: "10.0.0.2" }] }),
    /two routes to 0\.0\.0\.0\/0/,
  ],
  [
    "ports in the wrong order",
    context({ policies: [{ proto: "tcp", dstPort: "90-80" }] }),
    /destination ports "90-80"/,
  ],
  ["port 0", context({ policies: [{ proto: "tcp", srcPort: "0" }] }), /source ports "0"/],
  ["an unknown protocol", context({ policies: [{ proto: "quic" }] }), /IP protocol "quic"/],
  [
    "a policy of a family without an address",
    context({ policies: [{ from: "fd00::1" }] }),
    /client has no IPv6 address/,
  ],
  ["an MTU too small for IPv4", context({ mtuBytes: 67 }), /would be 67 .*IPv4 needs 68/],
  ["an MTU that is not a whole number", context({ mtuBytes: 1.5 }), /not a whole number/],
  [
    "an underlay too small for IPv6",
    {
      ...tunnelled({ underlayMtuBytes: 1300 }),
      context: { srcIpAddrs: ["fd00::1/64"], dstIpAddrs: ["fd00::2/64"] },
    },
    /would be 1246 \(an underlay of 1300 bytes leaves after VXLAN over IPv4\); IPv6 needs 1280\.$/,
  ],
];

for (const [title, parts, sentence] of cases) {
  test(`refused: ${title}`, () => {
    const problems = validateWire(wire(parts));
    assert.ok(
      problems.some((problem) => sentence.test(problem)),
      problems.join("\n"),
    );
    for (const problem of problems) assert.match(problem, /^[A-Z].*\.$/);
  });
}
