import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import fc from "fast-check";
import type { KernelObject, Operation } from "./kernel.ts";
import { plan } from "../forwarder/plan/plan.ts";
import { script } from "./script.ts";
import type { ScriptOptions } from "./script-tools.ts";
import { comment, quote } from "./shell.ts";
import type { Wire } from "../forwarder/wire.ts";

const wire: Wire = {
  connectionId: "it's; $(reboot)",
  client: { type: "KERNEL", netns: "file:///run/netns/a", interfaceName: "nsm-1" },
  endpoint: {
    type: "VXLAN",
    sourceIp: "fd08::1",
    destinationIp: "fd08::2",
    vni: 7,
    underlayMtuBytes: 1500,
  },
  context: {
    srcIpAddrs: ["10.0.0.1/32", "fd00::1/128"],
    dstIpAddrs: ["10.0.0.2/32", "fd00::2/128"],
    srcRoutes: [{ prefix: "0.0.0.0/0" }],
    srcMac: "02:00:00:00:00:01",
    dstMac: "02:00:00:00:00:02",
    policies: [{ proto: "tcp", dstPort: "80-90" }],
  },
};

function adds(objects: readonly KernelObject[], options?: ScriptOptions): string {
  return script(
    objects.map((object): Operation => ({ verb: "add", object })),
    options,
  ).join("\n");
}

test("the script of a remote wire consists of these commands", () => {
  const sealed = [
    "net/ipv4/conf/nsm-1/accept_redirects=0",
    ...["accept_ra", "autoconf", "accept_redirects", "accept_dad"].map(
      (key) => `net/ipv6/conf/nsm-1/${key}=0`,
    ),
  ];
  const text = adds(plan(wire).objects)
    .replaceAll(/nlv[0-9a-z]{12}/g, "nlv")
    .replaceAll(/nlx[0-9a-z]{12}/g, "nlx")
    .replace(/address ((?!02:00)..:){5}../, "address MAC")
    .replaceAll(/13[0-9]{8}/g, "TABLE");
  assert.deepEqual(text.split("\n"), [
    "#!/bin/sh",
    "set -eu",
    "# Newer versions of ip can mark an address with its owner.",
    "if ip address help 2>&1 | grep -qi ' proto '; then owner='proto 78'; else owner=; fi",
    "ip link add name nsm-1 netns a address 02:00:00:00:00:01 mtu 1426 numtxqueues 1 numrxqueues 1 type veth peer name nlv address MAC mtu 1426 numtxqueues 1 numrxqueues 1",
    `ip -n a link set dev nsm-1 group TABLE alias 'server-it'\\''s; $(reboot)' addrgenmode eui64`,
    `ip link set dev nlv group TABLE alias 'veth-server-it'\\''s; $(reboot)' addrgenmode none`,
    "# into nlv gets only what is sent from 10.0.0.1/32, fd00::1/128 (eBPF)",
    "# out of the tunnel of nlv comes only what is sent from 0.0.0.0/0, 10.0.0.2/32, ::/0, fd00::2/128, not as a DHCP server, not as a router (eBPF)",
    "# add tunnel vni 7 to fd08::2 on nlv (eBPF; by hand a device of its own does the same, slower)",
    "ip link add nlx type vxlan id 7 local fd08::1 remote fd08::2 dstport 4789 nolearning udp6zerocsumrx",
    "ip link set dev nlx up",
    "tc qdisc add dev nlv clsact",
    "tc filter add dev nlv ingress protocol all pref 1 handle 800::800 u32 match u32 0 0 action mirred egress redirect dev nlx",
    "tc qdisc add dev nlx clsact",
    "tc filter add dev nlx ingress protocol all pref 1 handle 800::800 u32 match u32 0 0 action mirred egress redirect dev nlv",
    "sysctl -q -w net/ipv6/conf/nlv/disable_ipv6=1 || :",
    `nsenter --net=/run/netns/a sysctl -q -w ${sealed.join(" ")} || :`,
    "nsenter --net=/run/netns/a sysctl -q -w net/ipv6/conf/nsm-1/disable_ipv6=0",
    "ip -n a address add 10.0.0.1/32 peer 10.0.0.2/32 dev nsm-1 $owner",
    "ip -n a address add fd00::1/128 dev nsm-1 nodad $owner",
    "ip -n a link set dev nsm-1 up",
    "ip link set dev nlv up",
    "ip -n a -6 route add fd00::2/128 dev nsm-1 proto 78",
    "ip -n a route add 0.0.0.0/1 via 10.0.0.2 dev nsm-1 onlink proto 78",
    "ip -n a route add 128.0.0.0/1 via 10.0.0.2 dev nsm-1 onlink proto 78",
    "ip -n a route add 0.0.0.0/0 via 10.0.0.2 dev nsm-1 table TABLE onlink proto 78",
    "ip -n a -6 route add ::/0 via fd00::2 dev nsm-1 table TABLE onlink proto 78",
    "ip -n a neighbor add 10.0.0.2 lladdr 02:00:00:00:00:02 dev nsm-1 nud permanent protocol 78",
    "ip -n a neighbor add fd00::2 lladdr 02:00:00:00:00:02 dev nsm-1 nud permanent protocol 78",
    "ip -n a rule add pref 20000 ipproto 6 dport 80-90 lookup TABLE protocol 78",
    "ip -n a -6 rule add pref 20000 ipproto 6 dport 80-90 lookup TABLE protocol 78",
  ]);
});

test("a namespace unknown to `ip netns` is entered by path, or found by inode", () => {
  const up = (netns: KernelObject & { kind: "up" }): string => adds([netns]).split("\n").at(-1) ?? "";
  const on = { kind: "up", link: "x" } as const;
  assert.equal(
    up({ ...on, netns: "file:///proc/7/ns/net" }),
    "nsenter --net=/proc/7/ns/net ip link set dev x up",
  );
  assert.equal(up({ ...on, netns: "file:///tmp/a b" }), "nsenter --net='/tmp/a b' ip link set dev x up");
  assert.match(
    up({ ...on, netns: "inode://4/42" }),
    /^nsenter --net="\$\(find .* -inum 42 .*\)" ip link set dev x up$/,
  );
});

test("the option `host` replaces the namespace `host`", () => {
  const [line] = adds([{ kind: "up", netns: "host", link: "x" }], { host: "file:///run/netns/h" })
    .split("\n")
    .slice(-1);
  assert.equal(line, "ip -n h link set dev x up");
});

test("the shell passes on every word unchanged", () => {
  const texts = fc.string({ unit: fc.constantFrom("a", "'", '"', "$", "`", "\\", " ", "\n", ";", "-", "é") });
  fc.assert(
    fc.property(fc.array(texts, { minLength: 20, maxLength: 20 }), (words) => {
      const { stdout } = spawnSync("sh", ["-c", `printf '%s\\0' ${words.map(quote).join(" ")}`], {
        encoding: "utf8",
      });
      assert.deepEqual(stdout.split("\0").slice(0, -1), words);
    }),
    { numRuns: 10 },
  );
});

test("a comment stays on one line", () => {
  assert.equal(comment("a\nreboot\r\n"), "# a reboot ");
});
