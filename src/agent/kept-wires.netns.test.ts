/** A new agent finds the wires of an earlier agent although the state folder is lost. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { holdsExactly, hostsFixture, localWire, remoteWire } from "../../fixtures/forwarder/hosts.ts";
import { planWire } from "../forwarder/plan/plan-wire.ts";
import { Reconciler } from "../forwarder/reconcile/reconcile.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { needsRoot, netnsFixture } from "../../fixtures/linux/netns.ts";
import { nodeWorld } from "../transport/node-world.ts";
import { PLAIN_CREDENTIALS } from "../identity/identities.ts";
import type { Disk } from "../world/disk.ts";
import { Doubts } from "./drift/doubts.ts";
import { Mends } from "./drift/mends.ts";
import { HostGuard } from "./host-guard.ts";
import { KeptWires } from "./kept-wires.ts";

const CONTEXT = { srcIpAddrs: ["10.0.0.1/32"], dstIpAddrs: ["10.0.0.2/32"] };

const EMPTY_DISK: Disk = {
  read: async () => undefined,
  append: async () => undefined,
  replace: async () => undefined,
  sync: async () => undefined,
};

function keptWires(kernel: Kernel): KeptWires {
  const world = nodeWorld({ host: "alpha", identity: () => ({ credentials: PLAIN_CREDENTIALS }) });
  const reconciler = new Reconciler(kernel);
  const hostGuard = new HostGuard(kernel, { registries: [], hops: world.hops });
  return new KeptWires({
    world,
    kernel,
    disk: EMPTY_DISK,
    reconciler,
    hostGuard,
    drift: { mends: new Mends(world.clock), doubts: new Doubts() },
  });
}

test(
  "a wire between two workloads is found when one of them is served again, and swept when no client requests it",
  { skip: needsRoot },
  async (t) => {
    const hosts = await hostsFixture(t);
    await new Reconciler(hosts.alpha).apply(planWire(localWire(hosts, CONTEXT)));
    // A process that does not know the client's namespace.
    const heir = await netnsFixture(t);
    const kernel = await heir.kernel({ host: hosts.host, bpffs: `${hosts.net.bpffs}/alpha` });
    const wires = keptWires(kernel);
    assert.deepEqual(await wires.adopt(), []);
    await wires.look(hosts.local);
    assert.deepEqual(wires.unclaimed, ["c1"]);
    assert.deepEqual(await wires.sweep(new Set()), ["c1"]);
    // The end in the unknown namespace disappears with the other end, once the kernel has freed that.
    await kernel.settle();
    await holdsExactly(hosts.alpha, [hosts.client, hosts.local]);
  },
);

test(
  "a wire from a workload to the namespace of another host is not touched",
  { skip: needsRoot },
  async (t) => {
    const hosts = await hostsFixture(t);
    const { far } = remoteWire(hosts, CONTEXT);
    await new Reconciler(hosts.beta).apply(planWire(far));
    const wires = keptWires(hosts.alpha);
    await wires.adopt();
    await wires.look(hosts.server);
    assert.deepEqual(wires.unclaimed, []);
    await wires.sweep(new Set());
    await holdsExactly(hosts.beta, [hosts.server], far);
  },
);
