/** Packets through a wire in the simulated kernel: [web: nsm-1] === [db: db-1]. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { readMeters } from "../forwarder/meter.ts";
import { plan } from "../forwarder/plan/plan.ts";
import type { Wire } from "../forwarder/wire.ts";
import type { KernelObject, Netns } from "../kernel/kernel.ts";
import { deviceIn } from "../mechanisms/list.ts";
import { type SimKernel, SimMachine } from "../sim/kernel/kernel.ts";
import { simProber } from "../../fixtures/sim/prober.ts";
import { type Counted, WireProof } from "./wire-proof.ts";

const [CLIENT, SERVER] = ["10.0.0.1", "10.0.0.2"];

class Bed {
  readonly machine: SimMachine;
  readonly kernel: SimKernel;
  readonly web: Netns;
  readonly wire: Wire;
  isCut = false;

  constructor() {
    const clock = { wallMs: () => 0, monotonicMs: () => 0, sleep: () => Promise.resolve() };
    this.machine = new SimMachine({ clock });
    this.kernel = this.machine.kernel();
    this.web = this.machine.createNetns("/run/netns/web");
    this.wire = {
      connectionId: "w1",
      client: deviceIn(this.web, "nsm-1"),
      endpoint: deviceIn(this.machine.createNetns("/run/netns/db"), "db-1"),
      context: { srcIpAddrs: [`${CLIENT}/24`], dstIpAddrs: [`${SERVER}/24`] },
    };
  }

  async add(...objects: readonly KernelObject[]): Promise<void> {
    await this.kernel.apply(objects.map((object) => ({ verb: "add", object })));
  }

  async counted(): Promise<Counted> {
    const meter = (towards: "client" | "endpoint") => ({ wire: this.wire, towards });
    const [client, endpoint] = await readMeters(this.kernel, [meter("client"), meter("endpoint")]);
    return { ...(client && { client }), ...(endpoint && { endpoint }) };
  }

  proof(mtuBytes = 1500): WireProof {
    const prober = simProber(this.machine, () => this.isCut);
    return new WireProof(prober, { netns: this.web, device: "nsm-1", mtuBytes, timeoutMs: 1000 });
  }
}

test("a wire that carries packets of its MTU, and no larger ones, has no problem", async () => {
  const bed = new Bed();
  await bed.add(...plan(bed.wire).objects);
  const proof = bed.proof();
  const before = await bed.counted();
  assert.deepEqual(await proof.ping(SERVER), { address: SERVER, rttMs: 0.11 });
  await proof.prove(SERVER);
  assert.deepEqual(proof.verdict(before, await bed.counted()), []);
});

test("an unanswered packet, and ends that have counted none, are reported under the given names", async () => {
  const bed = new Bed();
  await bed.add(...plan(bed.wire).objects);
  bed.isCut = true;
  const proof = bed.proof();
  const before = await bed.counted();
  assert.deepEqual(await proof.ping(SERVER), { address: SERVER, reason: "timeout" });
  await proof.prove(SERVER);
  const names = { client: "alpha/web/nsm-1", endpoint: "alpha/db/db-1" };
  assert.deepEqual(proof.verdict(before, await bed.counted(), names), [
    `a packet of 1500 bytes, the wire's MTU, to ${SERVER} is not answered (timeout)`,
    "alpha/db/db-1 has counted 0 packets, and 2 were expected",
    "alpha/web/nsm-1 has counted 0 packets, and 2 were expected",
  ]);
  // An end without a counter is skipped.
  assert.equal(proof.verdict({}, {}).length, 1);
});

test("a device that takes more than the wire's MTU is reported", async () => {
  const bed = new Bed();
  await bed.add(...plan(bed.wire).objects);
  const proof = bed.proof(1400);
  await proof.prove(SERVER);
  assert.deepEqual(proof.verdict({}, {}), [
    `a packet of 1401 bytes to ${SERVER} is not refused, and the wire's MTU is 1400`,
  ]);
});

test("a wire is shadowed if another device takes packets to its address", async () => {
  const bed = new Bed();
  const other = bed.machine.createNetns("/run/netns/other");
  const end = { mac: "02:00:00:00:00:09", mtuBytes: 1500, alias: "a stranger's" };
  await bed.add(
    ...plan(bed.wire).objects,
    {
      kind: "veth",
      ends: [
        { ...end, netns: bed.web, name: "eth0" },
        { ...end, netns: other, name: "eth0", mac: "02:00:00:00:00:0a" },
      ],
    },
    { kind: "up", netns: bed.web, link: "eth0" },
    { kind: "address", netns: bed.web, link: "eth0", address: `${SERVER}/32` },
  );
  const proof = bed.proof();
  await proof.prove(SERVER);
  const [shadowed = ""] = proof.verdict({}, {});
  assert.match(shadowed, /^the workload's packets to 10\.0\.0\.2 leave by \S+: nsm-1 is shadowed$/);
});
