/**
 * Each end of a link has a link-local address that works from the first packet on. OSPFv3, unnumbered BGP, router
 * solicitations and DHCPv6 need it.
 *
 *   [a/w: w0]===wire===[a/v: w0]   [a/w: w1]===wire over VXLAN===[b/x: w1]   a ===cable=== r ===cable=== b
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { ETHERTYPE, FrameSocket, ip, ipJson, macOf } from "../../fixtures/linux/frame.ts";
import { needsRoot } from "../../fixtures/linux/netns.ts";
import { linkLocalAddress } from "../net/link-local.ts";
import type { Netns } from "../kernel/kernel.ts";
import { labFixture } from "../../fixtures/lab/lab.ts";
import { netnsOf } from "./topology/topology.ts";
import { wireTexts } from "../../fixtures/documents/documents.ts";

const text = `apiVersion: netloom.dev/v1alpha1
kind: Lab
metadata: { name: NAME }
spec:
  hosts: { a: { workloads: [w, v] }, b: { workloads: [x] } }
  routers: [r]
  links:
    - [a, r]
    - [r, b]
${wireTexts(["{ client: a/w/w0, endpoint: a/v/w0, addresses: ipv4 }", "{ client: a/w/w1, endpoint: b/x/w1, addresses: ipv4 }"])}`;

const links = [
  { from: ["a/w", "w0"], to: ["a/v", "w0"] },
  { from: ["a/w", "w1"], to: ["b/x", "w1"] },
  { from: ["a", "to-r"], to: ["r", "to-a"] },
  { from: ["b", "to-r"], to: ["r", "to-b"] },
] as const;

/** Asserts that the first datagram to the link-local address of the other end arrives there. */
async function assertReached(
  from: { readonly netns: Netns; readonly link: string },
  to: { readonly netns: Netns; readonly link: string },
  open: (place: typeof to) => Promise<FrameSocket>,
): Promise<void> {
  const address = linkLocalAddress(macOf(to.netns, to.link));
  const socket = await open(to);
  try {
    const name = from.netns.slice(from.netns.lastIndexOf("/") + 1);
    const script = `echo hello > /dev/udp/${address}%${from.link}/9`;
    execFileSync("ip", ["netns", "exec", name, "bash", "-c", script]);
    // Offsets: 14 bytes of Ethernet, then the IPv6 header with the next header at 6 and the destination at 24.
    await socket.receive(
      (frame) => frame[20] === 17 && Buffer.compare(frame.subarray(38, 54), ip(address)) === 0,
    );
  } finally {
    socket.close();
  }
}

test(
  "ends of wires and cables have link-local addresses, and the host's devices none",
  { skip: needsRoot },
  async (t) => {
    const lab = await labFixture(t);
    await lab.up(text);
    const open = (place: Parameters<typeof FrameSocket.open>[1]): Promise<FrameSocket> =>
      FrameSocket.open(lab.machine, place, ETHERTYPE.ipv6);
    for (const { from, to } of links) {
      const [near, far] = [from, to].map(([place, link]) => ({ netns: netnsOf(lab.name, place), link }));
      assert.ok(near && far);
      await assertReached(near, far, open);
      await assertReached(far, near, open);
    }
    const hostsDevices = ipJson(netnsOf(lab.name, "a"), "-6", "address", "show")
      .filter(({ ifname }) => /^nl[vx]/.test(String(ifname)))
      .flatMap(({ addr_info: addresses }) => addresses);
    assert.deepEqual(hostsDevices, []);
  },
);

test(
  "the wire of an earlier version gets its link-local address at the next up",
  { skip: needsRoot },
  async (t) => {
    const lab = await labFixture(t);
    await lab.up(text);
    const at = { netns: netnsOf(lab.name, "a/w"), link: "w0" };
    const name = at.netns.slice(at.netns.lastIndexOf("/") + 1);
    execFileSync("ip", ["-n", name, "link", "set", "dev", "w0", "addrgenmode", "none"]);
    execFileSync("ip", ["-n", name, "-6", "address", "flush", "dev", "w0", "scope", "link"]);
    const { wires } = await lab.up(text);
    assert.deepEqual(wires.changed, ["a/w/w0"]);
    const [link] = ipJson(at.netns, "-6", "address", "show", "dev", "w0", "scope", "link");
    assert.equal((link?.["addr_info"] as readonly unknown[] | undefined)?.length, 1);
  },
);
