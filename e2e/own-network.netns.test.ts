/**
 * A workload with a network and a default route of its own, and a service that offers both, on the real kernel:
 *
 * ```
 *   alpha, one agent
 *     gate ── eth0, 10.9.0.0/29, fd09::/125, the own default route ── pod ══ to-gw, the service's default route ══ gw
 *       198.51.100.1, 2001:db8:1::1                                                  203.0.113.1, 2001:db8:2::1
 * ```
 */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { findDaemons } from "../src/lab/daemons.ts";
import { labFixture, type LabFixture } from "../fixtures/lab/lab.ts";
import { netnsOf } from "../src/lab/topology/topology.ts";
import { Pinger } from "../src/linux/icmp/icmp.ts";
import { needsRoot } from "../fixtures/linux/netns.ts";
import { until } from "../fixtures/async/until.ts";
import type { KernelObject, LinkEnd, Netns, Operation } from "../src/kernel/kernel.ts";
import { STRANGERS_MARK } from "./kernel/kernel-contract-harness.ts";

const HOSTS = `apiVersion: netloom.dev/v1alpha1
kind: Lab
metadata: { name: NAME }
spec:
  hosts:
    alpha: { workloads: [pod, gate, gw] }
  agents: true
`;
const GW = `---
apiVersion: netloom.dev/v1alpha1
kind: NetworkServiceProvider
metadata: { name: gw }
spec:
  workload: alpha/gw
  services: [gw]
  pools: [10.9.0.0/24, "fd09::/64"]
  routes: { client: [0.0.0.0/0, "::/0"] }
`;
const POD = `---
apiVersion: netloom.dev/v1alpha1
kind: NetworkServiceClient
metadata: { name: pod }
spec: { workload: alpha/pod, service: gw, interface: to-gw }
`;

const BEHIND_GATE = ["198.51.100.1", "2001:db8:1::1"] as const;
const BEHIND_GW = ["203.0.113.1", "2001:db8:2::1"] as const;

function device(netns: Netns, name: string): LinkEnd {
  const digit = name.length;
  return { netns, name, mac: `02:00:00:00:00:0${digit}`, mtuBytes: 1500, alias: "" };
}

/** The workloads' own network, set up without Netloom's mark. */
function ownNetwork(pod: Netns, gate: Netns, gw: Netns): Operation[] {
  const address = (netns: Netns, link: string, text: string): KernelObject[] => [
    { kind: "address", netns, link, address: text },
  ];
  const up = (netns: Netns, link: string): KernelObject => ({ kind: "up", netns, link });
  const route = (destination: string, via: string): KernelObject => ({
    kind: "route",
    netns: pod,
    link: "eth0",
    destination,
    via,
  });
  const objects: KernelObject[] = [
    { kind: "veth", ends: [device(pod, "eth0"), device(gate, "inner")] },
    { kind: "veth", ends: [device(gate, "beyond"), device(gate, "past")] },
    { kind: "veth", ends: [device(gw, "outside"), device(gw, "away")] },
    // Without a link-local address a device does not ask for neighbours of packets that come from another device.
    ...["10.9.0.2/29", "fd09::2/125", "fe80::2/64"].flatMap((each) => address(pod, "eth0", each)),
    ...["10.9.0.1/29", "fd09::1/125", "fe80::1/64"].flatMap((each) => address(gate, "inner", each)),
    ...BEHIND_GATE.flatMap((each) => address(gate, "beyond", `${each}/${each.includes(":") ? 128 : 32}`)),
    ...BEHIND_GW.flatMap((each) => address(gw, "outside", `${each}/${each.includes(":") ? 128 : 32}`)),
    up(pod, "eth0"),
    up(gate, "inner"),
    up(gate, "beyond"),
    up(gw, "outside"),
    route("0.0.0.0/0", "10.9.0.1"),
    route("::/0", "fd09::1"),
  ];
  return objects.map((object) => ({ verb: "add", object }));
}

async function answers(lab: LabFixture, address: string): Promise<boolean> {
  const pinger = await Pinger.open(lab.machine, netnsOf(lab.name, "alpha/pod"), address);
  try {
    return (await pinger.probe({ timeoutMs: 100 })).rttMs !== undefined;
  } finally {
    pinger.close();
  }
}

/** Asserts that packets to all destinations go this way, in both families. A removed device may take a moment. */
async function goBy(lab: LabFixture, way: "gate" | "gw", when?: string): Promise<void> {
  const [those, others] = way === "gate" ? [BEHIND_GATE, BEHIND_GW] : [BEHIND_GW, BEHIND_GATE];
  for (const address of those) await until(() => answers(lab, address));
  for (const address of others)
    assert.ok(!(await answers(lab, address)), `${address} is not reached: ${when}`);
}

/** Kills the agent as the kernel's out-of-memory killer does. */
async function killAgent(lab: LabFixture): Promise<void> {
  const found = findDaemons(lab.name).find(({ kind }) => kind === "agent");
  assert.ok(found, "the agent runs");
  process.kill(found.pid, "SIGKILL");
  await until(() => !existsSync(`/proc/${found.pid}`));
}

test(
  "a service's default route wins over the workload's own, which takes over again whenever and however the wire ends",
  { skip: needsRoot },
  async (t) => {
    const lab = await labFixture(t);
    await lab.up(HOSTS);
    const [pod, gate, gw] = ["pod", "gate", "gw"].map((each) => netnsOf(lab.name, `alpha/${each}`)) as [
      Netns,
      Netns,
      Netns,
    ];
    const options = { host: pod, bpffs: "/nonexistent" };
    const owner = await lab.machine.kernel({ ...options, mark: STRANGERS_MARK });
    const mesh = await lab.machine.kernel(options);
    await owner.apply(ownNetwork(pod, gate, gw));
    const before = await owner.observe([{ netns: pod }]);
    await goBy(lab, "gate");

    await lab.up(HOSTS + GW + POD);
    await goBy(lab, "gw");
    const made = await mesh.observe([{ netns: pod }]);
    assert.deepEqual(
      made.flatMap((object) => (object.kind === "address" ? [object.address] : [])).sort(),
      ["10.9.0.9/32", "fd09::9/128"],
      "the pool's part that is the workload's own network is left out",
    );
    assert.deepEqual(
      await owner.observe([{ netns: pod }]),
      before,
      "what is the workload's own is untouched",
    );

    await lab.up(HOSTS + GW);
    await goBy(lab, "gate", "closed");

    await lab.up(HOSTS + GW + POD);
    await killAgent(lab);
    await goBy(lab, "gw", "without an agent");
    const wire = (await mesh.observe([{ netns: pod }])).find(({ kind }) => kind === "veth");
    assert.ok(wire);
    await mesh.apply([{ verb: "remove", object: wire }]);
    await mesh.settle();
    await goBy(lab, "gate", "without an agent and without the device");

    await lab.up(HOSTS + GW + POD);
    await goBy(lab, "gw", "the next life makes the wire again");
    await killAgent(lab);
    await lab.up(HOSTS + GW);
    await goBy(lab, "gate", "deleted by a next life");
    assert.deepEqual(await owner.observe([{ netns: pod }]), before);
  },
);
