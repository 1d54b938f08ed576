import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdir } from "node:fs/promises";
import { after, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { ping, Pinger } from "../linux/icmp/icmp.ts";
import { LinuxMachine } from "../linux/machine/machine.ts";
import { needsRoot } from "../../fixtures/linux/netns.ts";
import { NetloomError } from "../errors/errors.ts";
import { reason } from "../errors/reasons.ts";
import type { Kernel, Operation } from "../kernel/kernel.ts";
import {
  addressesOf,
  holdsExactly,
  type Hosts,
  hostsFixture,
  localWire,
  reachEachOther,
  reaches,
  remoteWire,
} from "../../fixtures/forwarder/hosts.ts";
import { plan } from "./plan/plan.ts";
import { WireMaker } from "../../fixtures/forwarder/wire-maker.ts";
import type { ConnectionContext, Wire } from "./wire.ts";
import type { VxlanMechanism } from "../mechanisms/vxlan/vxlan.ts";

const machine = await LinuxMachine.open();
after(() => machine.close());

const v4: ConnectionContext = { srcIpAddrs: ["10.0.0.1/32"], dstIpAddrs: ["10.0.0.2/32"] };
const v6: ConnectionContext = { srcIpAddrs: ["fd00::1/128"], dstIpAddrs: ["fd00::2/128"] };
const dual: ConnectionContext = {
  srcIpAddrs: ["10.0.0.1/32", "fd00::1/128"],
  dstIpAddrs: ["10.0.0.2/32", "fd00::2/128"],
};
const networks: ConnectionContext = {
  srcIpAddrs: ["10.0.0.1/24", "fd00::1/64"],
  dstIpAddrs: ["10.0.0.2/24", "fd00::2/64"],
};
const ipv6Underlay: Partial<VxlanMechanism> = { sourceIp: "fd08::1", destinationIp: "fd08::2" };

/** A kernel that records its batches. */
function recording(kernel: Kernel): { kernel: Kernel; batches: (readonly Operation[])[] } {
  const batches: (readonly Operation[])[] = [];
  return {
    batches,
    kernel: {
      apply(batch, options) {
        batches.push(batch);
        return kernel.apply(batch, options);
      },
      observe: (queries) => kernel.observe(queries),
      nativeNetworks: (queries) => kernel.nativeNetworks(queries),
      devices: (queries) => kernel.devices(queries),
      ways: (queries) => kernel.ways(queries),
      addresses: (queries) => kernel.addresses(queries),
      drops: () => kernel.drops(),
      counters: (queries) => kernel.counters(queries),
      resolve: (netns) => kernel.resolve(netns),
      watch: () => kernel.watch(),
      settle: () => kernel.settle(),
    },
  };
}

for (const [title, context] of [
  ["IPv4", v4],
  ["IPv6", v6],
  ["dual stack", dual],
  ["networks of both families", networks],
] as const) {
  test(`a local wire carries packets: ${title}`, { skip: needsRoot }, async (t) => {
    const hosts = await hostsFixture(t, machine);
    const { kernel, batches } = recording(hosts.alpha);
    const wires = new WireMaker(kernel);
    const wire = localWire(hosts, context);
    await wires.apply(wire);
    await reachEachOther(hosts, hosts.local, context);
    await wires.apply(wire);
    assert.equal(batches.length, 1, "again is nothing to do");
    await wires.remove("c1");
    await holdsExactly(hosts.alpha, [hosts.client, hosts.local]);
  });

  for (const [underlay, tunnel] of [
    ["IPv4", {}],
    ["IPv6", ipv6Underlay],
  ] as const) {
    test(`a remote wire carries packets: ${title} over ${underlay}`, { skip: needsRoot }, async (t) => {
      const hosts = await hostsFixture(t, machine);
      const [alpha, beta] = [recording(hosts.alpha), recording(hosts.beta)];
      const [nearWires, farWires] = [new WireMaker(alpha.kernel), new WireMaker(beta.kernel)];
      const { near, far } = remoteWire(hosts, context, tunnel);
      await Promise.all([nearWires.apply(near), farWires.apply(far)]);
      await reachEachOther(hosts, hosts.server, context);
      await Promise.all([nearWires.apply(near), farWires.apply(far)]);
      assert.deepEqual([alpha.batches.length, beta.batches.length], [1, 1], "again is nothing to do");
      await Promise.all([nearWires.remove("c1"), farWires.remove("c1")]);
      await holdsExactly(hosts.alpha, [hosts.client]);
      await holdsExactly(hosts.beta, [hosts.server]);
    });
  }
}

test("neither a remote wire nor a guarded local one needs a tcx link", { skip: needsRoot }, async (t) => {
  const hosts = await hostsFixture(t, machine);
  const wires = new WireMaker(hosts.alpha);
  await wires.apply(remoteWire(hosts, v4).near);
  await wires.apply({
    ...localWire(hosts, { srcIpAddrs: ["10.1.0.1/32"], dstIpAddrs: ["10.1.0.2/32"] }, "c2"),
    client: { type: "KERNEL", netns: hosts.client, interfaceName: "nsm-2" },
    guard: "always",
  });
  assert.deepEqual(await readdir(`${hosts.net.bpffs}/alpha/links`), []);
});

test("packets and bytes are counted at the ingress of both ends", { skip: needsRoot }, async (t) => {
  const hosts = await hostsFixture(t, machine);
  const wires = new WireMaker(hosts.alpha);
  await wires.apply(localWire(hosts, v4));
  // The kernel itself sends a few packets on a new link sooner or later, for its link-local address.
  for (let i = 0; i < 20; i++) await reaches(hosts, hosts.client, "10.0.0.2");
  const counters = await hosts.alpha.counters([
    { netns: hosts.client, link: "nsm-1" },
    { netns: hosts.local, link: "nse-1" },
  ]);
  for (const end of counters) {
    assert.ok(end && end.packets >= 20 && end.packets < 30, JSON.stringify(end));
    assert.ok(end.bytes >= 20 * 98 && end.bytes < 30 * 110, JSON.stringify(end));
  }
  await wires.remove("c1");
});

test(
  "a wire on the UDP port of a foreign metadata device is refused, and the error names device and remedy",
  { skip: needsRoot },
  async (t) => {
    const hosts = await hostsFixture(t, machine);
    const ip = (...words: readonly string[]): unknown =>
      execFileSync("ip", ["-n", hosts.net.nameOf(hosts.host), ...words]);
    ip("link", "add", "vxlan_sys", "type", "vxlan", "external", "dstport", "4789");
    ip("link", "set", "vxlan_sys", "up");
    const wires = new WireMaker(hosts.alpha);
    await assert.rejects(wires.apply(remoteWire(hosts, v4).near), {
      message: /EADDRINUSE: UDP port 4789 is taken by the VXLAN device vxlan_sys, which is not ours/,
      hint: /--vxlan-port/,
      reason: reason("UDP_PORT_TAKEN", { port: "4789" }),
    });
    assert.deepEqual(wires.owners(), []);
    await wires.apply(remoteWire(hosts, v4, { port: 4790 }).near);
  },
);

for (const [title, tunnel, families] of [
  ["IPv4", {}, 54],
  ["IPv6", ipv6Underlay, 74],
] as const) {
  test(`the MTU of a wire over ${title} fits exactly`, { skip: needsRoot }, async (t) => {
    const hosts = await hostsFixture(t, machine);
    const [nearWires, farWires] = [new WireMaker(hosts.alpha), new WireMaker(hosts.beta)];
    const { near, far } = remoteWire(hosts, dual, tunnel);
    await nearWires.apply(near);
    await farWires.apply(far);
    const mtu = 1500 - families;
    for (const [address, headers] of [
      ["10.0.0.2", 28],
      ["fd00::2", 48],
    ] as const) {
      const { machine } = hosts.net;
      const at = { netns: hosts.client, address };
      const fits = await ping(machine, { ...at, payloadBytes: mtu - headers });
      assert.ok(fits.rttMs !== undefined, `${mtu} bytes do not pass (${fits.errno})`);
      const tooLong = await ping(machine, { ...at, payloadBytes: mtu - headers + 1 });
      assert.equal(tooLong.errno, "EMSGSIZE");
    }
    await nearWires.remove("c1");
    await farWires.remove("c1");
  });
}

test(
  "routes of the context lead through the wire, with and without next hop",
  { skip: needsRoot },
  async (t) => {
    const hosts = await hostsFixture(t, machine);
    const wires = new WireMaker(hosts.alpha);
    const context: ConnectionContext = {
      srcIpAddrs: ["10.0.0.1/32", "10.0.1.1/24", "fd00::1/128"],
      dstIpAddrs: ["10.0.0.2/32", "10.5.0.1/32", "10.6.0.1/16", "fd00::2/128", "fd05::1/128"],
      srcRoutes: [
        { prefix: "10.7.0.0/16", nextHop: "10.0.0.2" },
        { prefix: "0.0.0.0/0" },
        { prefix: "::/0" },
      ],
    };
    await wires.apply(localWire(hosts, context));
    for (const address of addressesOf(context.dstIpAddrs)) await reaches(hosts, hosts.client, address);
    await holdsExactly(hosts.alpha, [hosts.client, hosts.local], localWire(hosts, context));
    await wires.remove("c1");
  },
);

test("policies choose the wire by source, protocol and port", { skip: needsRoot }, async (t) => {
  const hosts = await hostsFixture(t, machine);
  const { kernel, batches } = recording(hosts.alpha);
  const wires = new WireMaker(kernel);
  const context: ConnectionContext = {
    ...dual,
    dstIpAddrs: [...(dual.dstIpAddrs ?? []), "10.99.0.1/32", "fd99::1/128"],
    policies: [
      { proto: "icmp", routes: [{ prefix: "10.98.0.0/16" }] },
      { from: "10.0.0.1", proto: "tcp", dstPort: "80-90" },
      { proto: "udp", srcPort: "53" },
    ],
  };
  const wire = localWire(hosts, context);
  await wires.apply(wire);
  await wires.apply(wire);
  assert.equal(batches.length, 1, "again is nothing to do");
  // The endpoint does not have this address, but the packet got there: no error reports a missing route.
  const silent = await ping(hosts.net.machine, { netns: hosts.client, address: "10.98.0.1", timeoutMs: 50 });
  assert.equal(silent.errno, undefined);
  const changed = { ...wire, context: { ...context, policies: context.policies?.slice(1) ?? [] } };
  await wires.apply(changed);
  await holdsExactly(hosts.alpha, [hosts.client, hosts.local], changed);
  await wires.remove("c1");
  await holdsExactly(hosts.alpha, [hosts.client, hosts.local]);
});

test("another process takes over a wire without touching it", { skip: needsRoot }, async (t) => {
  const hosts = await hostsFixture(t, machine);
  const { near, far } = remoteWire(hosts, dual);
  await new WireMaker(hosts.alpha).apply(near);
  await new WireMaker(hosts.beta).apply(far);

  const alpha = recording(hosts.alpha);
  const successor = new WireMaker(alpha.kernel);
  assert.deepEqual(await successor.adopt([hosts.client, hosts.local]), ["c1"]);
  await successor.apply(near);
  assert.deepEqual(await successor.sweep(), []);
  assert.equal(alpha.batches.length, 0);
  await reachEachOther(hosts, hosts.server, dual);

  const heir = new WireMaker(hosts.beta);
  assert.deepEqual(await heir.adopt([hosts.server]), ["c1"]);
  assert.deepEqual(await heir.sweep(), ["c1"]);
  await holdsExactly(hosts.beta, [hosts.server]);
  await successor.remove("c1");
});

test(
  "a process whose pins went with their mount namespace finds its programs by their attachment",
  { skip: needsRoot },
  async (t) => {
    const hosts = await hostsFixture(t, machine);
    const { near, far } = remoteWire(hosts, v4);
    await new WireMaker(hosts.alpha).apply(near);
    await new WireMaker(hosts.beta).apply(far);
    await reachEachOther(hosts, hosts.server, v4);
    const ends = plan(near).objects.flatMap((object) => (object.kind === "program" ? [object.link] : []));
    const count = async (kernel: Kernel): Promise<number[]> =>
      (await kernel.counters(ends.map((link) => ({ netns: "host", link })))).map(
        (each) => each?.packets ?? 0,
      );
    const before = await count(hosts.alpha);

    const alpha = recording(await hosts.net.kernel({ host: hosts.host, bpffs: `${hosts.net.bpffs}/bare` }));
    const heir = new WireMaker(alpha.kernel);
    assert.deepEqual(await heir.adopt([hosts.client]), ["c1"]);
    await reachEachOther(hosts, hosts.server, v4);
    await heir.apply(near);
    assert.equal(alpha.batches.length, 0);
    const after = await count(alpha.kernel);
    assert.ok(
      after.every((packets, i) => packets > (before[i] ?? 0)),
      `${before.join()} then ${after.join()}`,
    );
    // A new wire works beside the old one, which can be changed and removed like any other.
    const context: ConnectionContext = { srcIpAddrs: ["10.0.0.3/32"], dstIpAddrs: ["10.0.0.4/32"] };
    const second = remoteWire(hosts, context, { connectionId: "c2", vni: 8 }).near;
    await heir.apply({ ...second, client: { ...second.client, interfaceName: "nsm-2" } as Wire["client"] });
    await heir.remove("c1");
    assert.deepEqual(heir.owners(), ["c2"]);
  },
);

test(
  "a wire that changes its tunnel keeps the workload's device and carries packets again",
  { skip: needsRoot },
  async (t) => {
    const hosts = await hostsFixture(t, machine);
    const [nearWires, farWires] = [new WireMaker(hosts.alpha), new WireMaker(hosts.beta)];
    const old = remoteWire(hosts, v4);
    await nearWires.apply(old.near);
    await farWires.apply(old.far);
    const after = remoteWire(hosts, v4, { ...ipv6Underlay, vni: 8 });
    const pinger = await Pinger.open(hosts.net.machine, hosts.client, "10.0.0.2");
    const ifindex = (): number => {
      const name = hosts.net.nameOf(hosts.client);
      const text = execFileSync("ip", ["-n", name, "-j", "link", "show", "dev", "nsm-1"], {
        encoding: "utf8",
      });
      return (JSON.parse(text) as { ifindex: number }[])[0]?.ifindex ?? 0;
    };
    try {
      const before = ifindex();
      const probes = { isOver: false, sent: 0, lost: 0 };
      const probe = async (): Promise<void> => {
        while (!probes.isOver) {
          probes.sent++;
          const answer = await pinger.probe({ timeoutMs: 2 });
          if (answer.rttMs === undefined) probes.lost++;
          // An answer that arrives at once leaves the event loop no turn.
          await turn();
        }
      };
      const move = async (): Promise<void> => {
        try {
          await Promise.all([farWires.apply(after.far), nearWires.apply(after.near)]);
          await reaches(hosts, hosts.client, "10.0.0.2");
        } finally {
          probes.isOver = true;
        }
      };
      await Promise.all([probe(), move()]);
      assert.equal(ifindex(), before);
      t.diagnostic(`${probes.lost} of ${probes.sent} probes lost`);
    } finally {
      pinger.close();
      await nearWires.remove("c1");
      await farWires.remove("c1");
    }
  },
);

test("a new endpoint moves a wire from the host to another one and back", { skip: needsRoot }, async (t) => {
  const hosts = await hostsFixture(t, machine);
  const [nearWires, farWires] = [new WireMaker(hosts.alpha), new WireMaker(hosts.beta)];
  const { near, far } = remoteWire(hosts, dual);
  const local = localWire(hosts, dual);
  await nearWires.apply(local);
  await reachEachOther(hosts, hosts.local, dual);
  await farWires.apply(far);
  await nearWires.apply(near);
  await reachEachOther(hosts, hosts.server, dual);
  await holdsExactly(hosts.alpha, [hosts.client, hosts.local], near);
  await nearWires.apply(local);
  await reachEachOther(hosts, hosts.local, dual);
  await nearWires.remove("c1");
  await farWires.remove("c1");
});

test(
  "a vanished namespace takes nothing else along, and its wire can be removed",
  { skip: needsRoot },
  async (t) => {
    const hosts = await hostsFixture(t, machine);
    const wires = new WireMaker(hosts.alpha);
    const { near } = remoteWire(hosts, v4);
    await wires.apply(near);
    await hosts.net.machine.removeNetns(hosts.client.slice("file://".length));
    await assert.rejects(wires.apply(near), (error) => {
      assert.ok(error instanceof NetloomError);
      assert.equal(error.code, "NOT_FOUND", error.message);
      assert.match(error.message, /^make wire c1: add veth /);
      return true;
    });
    await wires.remove("c1");
    await hosts.alpha.settle();
    await holdsExactly(hosts.alpha, []);
  },
);

test("a workload that comes back gets its wire back", { skip: needsRoot }, async (t) => {
  const hosts = await hostsFixture(t, machine);
  const [nearWires, farWires] = [new WireMaker(hosts.alpha), new WireMaker(hosts.beta)];
  const { near, far } = remoteWire(hosts, dual);
  await nearWires.apply(near);
  await farWires.apply(far);
  const path = hosts.client.slice("file://".length);
  await hosts.net.machine.removeNetns(path);
  await hosts.net.machine.createNetns(path);
  await nearWires.apply(near);
  await reachEachOther(hosts, hosts.server, dual);
  await holdsExactly(hosts.alpha, [hosts.client], near);
  await nearWires.remove("c1");
  await farWires.remove("c1");
});

test("a repair fixes exactly what somebody broke", { skip: needsRoot }, async (t) => {
  const hosts = await hostsFixture(t, machine);
  const { kernel, batches } = recording(hosts.alpha);
  const wires = new WireMaker(kernel);
  const wire = localWire(hosts, dual);
  await wires.apply(wire);
  const up = { kind: "up", netns: hosts.client, link: "nsm-1" } as const;
  await hosts.alpha.apply([{ verb: "remove", object: up }]);
  await wires.apply(wire);
  await reachEachOther(hosts, hosts.local, dual);
  const mended = batches.at(-1)?.map(({ verb, object }) => `${verb} ${object.kind}`) ?? [];
  assert.ok(!mended.some((step) => step.endsWith("veth")), mended.join(", "));
  await holdsExactly(hosts.alpha, [hosts.client, hosts.local], wire);
  assert.ok(mended.length < plan(wire).objects.length);
  await wires.remove("c1");
});

/** Sends one packet after the other, to each address in turn, until the kernel has freed everything that was removed. */
async function probeUntilSettled(
  hosts: Hosts,
  addresses: readonly string[],
): Promise<{ sent: number; unanswered: string[] }> {
  let isSettled = false;
  const probes = { sent: 0, unanswered: [] as string[] };
  const pingers = await Promise.all(
    addresses.map((address) => Pinger.open(hosts.net.machine, hosts.client, address)),
  );
  const settled = hosts.alpha.settle().finally(() => {
    isSettled = true;
  });
  try {
    for (let last = false; ; last = isSettled) {
      for (const [i, pinger] of pingers.entries()) {
        probes.sent++;
        const answer = await pinger.probe({ timeoutMs: 20 });
        if (answer.rttMs === undefined)
          probes.unanswered.push(`${addresses[i]} at ${probes.sent}: ${answer.errno ?? "timeout"}`);
      }
      await turn();
      if (last) break;
    }
  } finally {
    for (const pinger of pingers) pinger.close();
    await settled;
  }
  return probes;
}

const routed: ConnectionContext = {
  ...networks,
  srcRoutes: [{ prefix: "10.7.0.0/16" }, { prefix: "0.0.0.0/0" }, { prefix: "fd07::/64" }],
};

for (const [title, context] of [
  ["IPv4", v4],
  ["IPv6", v6],
  ["dual stack", dual],
  ["networks and routes", routed],
] as const) {
  test(
    `a wire takes over all packets of a wire that was just closed: ${title}`,
    { skip: needsRoot },
    async (t) => {
      const hosts = await hostsFixture(t, machine);
      const wires = new WireMaker(hosts.alpha);
      const wire = (n: number): Wire => ({
        ...localWire(hosts, context, `c${n}`),
        client: { type: "KERNEL", netns: hosts.client, interfaceName: `nsm-${n}` },
        endpoint: { type: "KERNEL", netns: n % 2 ? hosts.local : hosts.server, interfaceName: `nse-${n}` },
      });
      await wires.apply(wire(0));
      await reaches(hosts, hosts.client, addressesOf(context.dstIpAddrs)[0] ?? "");
      for (let n = 1; n <= 6; n++) {
        await wires.remove(`c${n - 1}`);
        await wires.apply(wire(n));
        const { sent, unanswered } = await probeUntilSettled(hosts, addressesOf(context.dstIpAddrs));
        t.diagnostic(`${sent} probes`);
        assert.deepEqual(unanswered, []);
        const endpoint = n % 2 ? hosts.local : hosts.server;
        const [counters] = await hosts.alpha.counters([{ netns: endpoint, link: `nse-${n}` }]);
        // IPv6 sends packets of its own on a new device.
        assert.ok(
          (counters?.packets ?? 0) >= sent,
          `${counters?.packets} of ${sent} packets came by the new wire`,
        );
      }
    },
  );
}
