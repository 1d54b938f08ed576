import assert from "node:assert/strict";
import { test } from "node:test";
import { type SimKernel, SimMachine } from "../../sim/kernel/kernel.ts";
import { NetloomError } from "../../errors/errors.ts";
import type { Failpoint, Kernel, Netns, Operation } from "../../kernel/kernel.ts";
import { diff } from "./diff.ts";
import { objectsOf } from "../../kernel/plan.ts";
import { plan } from "../plan/plan.ts";
import { WireMaker } from "../../../fixtures/forwarder/wire-maker.ts";
import type { Wire } from "../wire.ts";
import type { KernelMechanism } from "../../mechanisms/kernel/kernel.ts";
import type { VxlanMechanism } from "../../mechanisms/vxlan/vxlan.ts";

/** A host with the workloads `a` and `b` on a simulated machine with virtual time. */
class Host {
  readonly machine: SimMachine;
  readonly sim: SimKernel;
  readonly a: Netns;
  readonly b: Netns;
  readonly batches: (readonly Operation[])[] = [];
  /** Failures of the next batches, one each. */
  readonly failpoints: Failpoint[] = [];
  readonly kernel: Kernel;

  constructor() {
    let nowMs = 0;
    const sleep = (durationMs: number): Promise<void> => {
      nowMs += Math.max(0, durationMs);
      return Promise.resolve();
    };
    this.machine = new SimMachine({ clock: { wallMs: () => nowMs, monotonicMs: () => nowMs, sleep } });
    this.a = this.machine.createNetns("/run/netns/a");
    this.b = this.machine.createNetns("/run/netns/b");
    this.sim = this.machine.kernel();
    const { sim, batches, failpoints } = this;
    this.kernel = {
      apply: (batch) => {
        batches.push(batch);
        const failpoint = failpoints.shift();
        return sim.apply(batch, failpoint ? { failpoint } : {});
      },
      observe: (queries) => sim.observe(queries),
      nativeNetworks: (queries) => sim.nativeNetworks(queries),
      devices: (queries) => sim.devices(queries),
      ways: (queries) => sim.ways(queries),
      addresses: (queries) => sim.addresses(queries),
      drops: () => sim.drops(),
      counters: (queries) => sim.counters(queries),
      resolve: (netns) => sim.resolve(netns),
      watch: () => sim.watch(),
      settle: () => sim.settle(),
    };
  }

  async everything(): Promise<Awaited<ReturnType<Kernel["observe"]>>> {
    return await this.sim.observe([{ netns: "host" }, { netns: this.a }, { netns: this.b }]);
  }

  async holdsExactly(...wires: readonly Wire[]): Promise<void> {
    const wanted = objectsOf(...wires.map((wire) => plan(wire)));
    assert.deepEqual(diff(wanted, await this.everything()), []);
  }
}

const client: KernelMechanism = { type: "KERNEL", netns: "file:///run/netns/a", interfaceName: "nsm-1" };
const endpoint: KernelMechanism = { type: "KERNEL", netns: "file:///run/netns/b", interfaceName: "nse-1" };
const tunnel: VxlanMechanism = {
  type: "VXLAN",
  sourceIp: "10.8.0.1",
  destinationIp: "10.8.0.2",
  vni: 7,
  underlayMtuBytes: 1500,
};
const context: Wire["context"] = {
  srcIpAddrs: ["10.0.0.1/32", "fd00::1/128"],
  dstIpAddrs: ["10.0.0.2/32", "fd00::2/128"],
  srcRoutes: [{ prefix: "10.9.0.0/16" }],
  policies: [{ proto: "tcp", dstPort: "80" }],
};
const local: Wire = { connectionId: "c1", client, endpoint, context };
const remote: Wire = { connectionId: "c1", client, endpoint: tunnel, context };
const other: Wire = { ...local, connectionId: "c2" };

function failing(code: NetloomError["code"], message: RegExp, hint?: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof NetloomError);
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    if (hint) assert.match(error.hint ?? "", hint);
    return true;
  };
}

for (const [title, wire] of [
  ["local", local],
  ["remote", remote],
] as const) {
  test(`a ${title} wire is made in one batch, a second apply does nothing, and its removal leaves nothing`, async () => {
    const host = new Host();
    const wires = new WireMaker(host.kernel);
    await wires.apply(wire);
    await host.holdsExactly(wire);
    await wires.apply(wire);
    assert.equal(host.batches.length, 1);
    await wires.remove("c1");
    await host.holdsExactly();
    await wires.remove("c1");
    assert.deepEqual(wires.owners(), []);
  });

  test(`a ${title} wire that fails at any step leaves nothing, and the next try works`, async (t) => {
    const { length } = objectsOf(plan(wire));
    for (let operation = 0; operation < length; operation++) {
      for (const when of ["before", "after"] as const) {
        const host = new Host();
        const wires = new WireMaker(host.kernel);
        host.failpoints.push({ operation, when, how: "error" });
        await assert.rejects(wires.apply(wire), failing("INTERNAL", /^make wire c1: .*failpoint/));
        await host.holdsExactly();
        await wires.apply(wire);
        await host.holdsExactly(wire);
      }
    }
    t.diagnostic(`${2 * length} failpoints`);
  });

  test(`a ${title} wire is finished even if the kernel worker dies at any step, even twice`, async () => {
    const { length } = objectsOf(plan(wire));
    for (let operation = 0; operation < length; operation++) {
      const host = new Host();
      const wires = new WireMaker(host.kernel);
      host.failpoints.push(
        { operation, when: "after", how: "crash" },
        { operation: 0, when: "before", how: "crash" },
      );
      await wires.apply(wire);
      await host.holdsExactly(wire);
    }
  });
}

test("a wire changes from local to remote and back under the same name", async () => {
  const host = new Host();
  const wires = new WireMaker(host.kernel);
  for (const wire of [local, remote, { ...remote, endpoint: { ...tunnel, vni: 8 } }, local]) {
    await wires.apply(wire);
    await host.holdsExactly(wire);
  }
});

test("another process adopts all wires, changes nothing, and sweeps those that nobody wants", async () => {
  const host = new Host();
  const before = new WireMaker(host.kernel);
  await before.apply(local);
  const stale: Wire = {
    connectionId: "c2",
    client: { ...client, interfaceName: "nsm-2" },
    endpoint: tunnel,
    context: { srcIpAddrs: ["10.7.0.1/32"], dstIpAddrs: ["10.7.0.2/32"] },
  };
  await before.apply(stale);
  host.batches.length = 0;

  const after = new WireMaker(host.kernel);
  const adopted = await after.adopt([host.a, host.b, "file:///run/netns/gone"]);
  assert.deepEqual(adopted.sort(), ["c1", "c2"]);
  await after.apply(local);
  assert.equal(host.batches.length, 0);
  assert.deepEqual(await after.sweep(), ["c2"]);
  await host.holdsExactly(local);
});

test("a wire that another process left is taken over even without adoption", async () => {
  const host = new Host();
  await new WireMaker(host.kernel).apply(local);
  const changed: Wire = { ...local, context: { ...context, mtuBytes: 1400 } };
  await new WireMaker(host.kernel).apply(changed);
  await host.holdsExactly(changed);
});

test("a device that a crash left without a name is swept", async () => {
  const host = new Host();
  const [veth] = plan(local).objects;
  assert.ok(veth?.kind === "veth");
  const [one, two] = veth.ends;
  const nameless = {
    kind: "veth" as const,
    ends: [
      { ...one, alias: "" },
      { ...two, alias: "" },
    ] as const,
  };
  await host.sim.apply([{ verb: "add", object: nameless }]);
  const wires = new WireMaker(host.kernel);
  assert.deepEqual(await wires.adopt([host.a, host.b]), []);
  await wires.sweep();
  await host.holdsExactly();
});

test("a name that another wire has is refused, the error names that wire, and that wire stays", async () => {
  const host = new Host();
  const wires = new WireMaker(host.kernel);
  await wires.apply(local);
  await assert.rejects(
    wires.apply(other),
    failing(
      "ALREADY_EXISTS",
      /^make wire c2: add veth nsm-1/,
      /nsm-1 in file:\/\/\/run\/netns\/a belongs to wire c1/,
    ),
  );
  await host.holdsExactly(local);
  assert.deepEqual(wires.owners(), ["c1"]);
});

test("a VNI that another wire has is refused, and the error names that wire", async () => {
  const host = new Host();
  const wires = new WireMaker(host.kernel);
  await wires.apply(remote);
  const clash: Wire = { ...remote, connectionId: "c2", client: { ...client, interfaceName: "nsm-2" } };
  await assert.rejects(
    wires.apply(clash),
    failing("ALREADY_EXISTS", /^make wire c2: add tunnel vni 7/, /VNI 7 from 10.8.0.2 belongs to wire c1/),
  );
  await host.holdsExactly(remote);
});

test("a missing namespace gives a clear error and leaves nothing", async () => {
  const host = new Host();
  const wires = new WireMaker(host.kernel);
  const gone: Wire = { ...local, endpoint: { ...endpoint, netns: "file:///run/netns/gone" } };
  await assert.rejects(
    wires.apply(gone),
    failing("NOT_FOUND", /^make wire c1: add veth .*gone/, /start the workload again/),
  );
  await host.holdsExactly();
});

test("a wire whose workload has died is removed, with its tunnel", async () => {
  const host = new Host();
  const wires = new WireMaker(host.kernel);
  await wires.apply(remote);
  host.machine.removeNetns("/run/netns/a");
  await wires.remove("c1");
  await host.sim.settle();
  assert.deepEqual(await host.sim.observe([{ netns: "host" }]), []);
});

test("removing a wire late does not touch the wire that took its place", async () => {
  const host = new Host();
  const wires = new WireMaker(host.kernel);
  await wires.apply(local);
  host.machine.removeNetns("/run/netns/a");
  host.machine.createNetns("/run/netns/a");
  await host.sim.settle();
  await wires.apply(other);
  await wires.remove("c1");
  await host.holdsExactly(other);
});

test("a namespace may be called by its path and by its inode in turn", async () => {
  const host = new Host();
  const wires = new WireMaker(host.kernel);
  await wires.apply(local);
  const { netns } = await host.kernel.resolve(host.a);
  await wires.apply({ ...local, client: { ...client, netns } });
  assert.equal(host.batches.length, 1);
});

test("two calls for one wire do not mix, and the later one wins", async () => {
  const host = new Host();
  const wires = new WireMaker(host.kernel);
  await Promise.all([wires.apply(remote), wires.apply(local), wires.remove("c1"), wires.apply(remote)]);
  await host.holdsExactly(remote);
});

test("a wire that cannot be planned reports all problems and touches nothing", async () => {
  const host = new Host();
  const wrong: Wire = {
    ...remote,
    client: { ...client, interfaceName: "a/b" },
    endpoint: { ...tunnel, vni: 0 },
  };
  await assert.rejects(new WireMaker(host.kernel).apply(wrong), failing("INVALID_ARGUMENT", /"a\/b".*VNI 0/));
  assert.equal(host.batches.length, 0);
});
