/**
 * The simulated kernel and the kernel of this machine get the same random batches, valid and invalid ones, and must agree
 * after each: on success or refusal (code, errno, operation), and on all objects.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SimMachine } from "../../src/sim/kernel/kernel.ts";
import { needs } from "../../fixtures/linux/features.ts";
import { needsRoot, netnsFixture } from "../../fixtures/linux/netns.ts";
import { describeOperation } from "../../src/kernel/kernel-text.ts";
import {
  type Kernel,
  KernelError,
  type KernelObject,
  type LinkEnd,
  type Netns,
  type Operation,
} from "../../src/kernel/kernel.ts";
import { canonical } from "./kernel-contract-harness.ts";
import { VirtualClock } from "../virtual-clock.ts";

const seeds = (process.env["SEEDS"] ?? "1 2 3 4").split(" ").map(Number);
const batchesPerSeed = 60;
/** If only the host's own devices can have programs, other devices get none. */
const isProgramAnywhere = needs("tcx links") === false;

for (const seed of seeds)
  test(
    `real and simulated kernel agree on random batches of seed ${seed}`,
    { skip: needsRoot },
    async (t) => {
      const net = await netnsFixture(t);
      const machine = new SimMachine({ clock: new VirtualClock() });
      const real = { kernel: await net.kernel(), workload: await net.netns() };
      const simulated = {
        kernel: machine.kernel({ host: machine.createNetns("/run/netns/host") }),
        workload: machine.createNetns("/run/netns/workload"),
      };
      const chance = new Chance(seed);
      for (let round = 0; round < batchesPerSeed; round++) {
        const before = await simulated.kernel.observe(queries(simulated.workload));
        const batch = randomBatch(chance, before, simulated.workload);
        const translated = translate(batch, simulated.workload, real.workload);
        const expected = await outcomeOf(simulated.kernel, batch);
        const actual = await outcomeOf(real.kernel, translated);
        const where = `seed ${seed}, batch ${round}:\n${batch.map(describeOperation).join("\n")}\non\n${canonical(before).join("\n")}`;
        assert.deepEqual(actual, expected, where);
        const after = await real.kernel.observe(queries(real.workload));
        const wanted = await simulated.kernel.observe(queries(simulated.workload));
        assert.deepEqual(
          canonical(after),
          canonical(translate(wanted, simulated.workload, real.workload)),
          where,
        );
      }
    },
  );

function queries(workload: Netns): { readonly netns: Netns }[] {
  return [{ netns: "host" }, { netns: workload }];
}

async function outcomeOf(kernel: Kernel, batch: readonly Operation[]): Promise<unknown> {
  try {
    await kernel.apply(batch);
    return "done";
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    return { code: error.code, errno: error.errno, operation: error.operation };
  }
}

function translate<T>(value: T, from: Netns, to: Netns): T {
  return JSON.parse(JSON.stringify(value).replaceAll(JSON.stringify(from), JSON.stringify(to))) as T;
}

/** A linear congruential generator (Knuth, MMIX): a seed gives the same numbers on every machine. */
class Chance {
  #state: bigint;

  constructor(seed: number) {
    this.#state = BigInt(seed) * 0x9e3779b97f4a7c15n;
  }

  below(limit: number): number {
    this.#state = (this.#state * 6364136223846793005n + 1442695040888963407n) & 0xffffffffffffffffn;
    return Number((this.#state >> 33n) % BigInt(limit));
  }

  of<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)] as T;
  }
}

function randomBatch(chance: Chance, there: readonly KernelObject[], workload: Netns): Operation[] {
  const size = 1 + chance.below(4);
  const batch = Array.from({ length: size }, (): Operation => {
    const dice = chance.below(10);
    const present = chance.of(there.length > 0 ? there : [randomObject(chance, workload)]);
    if (dice < 7) return { verb: "add", object: randomObject(chance, workload) };
    return { verb: "remove", object: dice < 9 ? present : randomObject(chance, workload) };
  });
  const isLinkRemoval = ({ verb, object }: Operation): boolean =>
    verb === "remove" && ["veth", "vxlan"].includes(object.kind);
  return [...batch.filter((each) => !isLinkRemoval(each)), ...batch.filter(isLinkRemoval)];
}

function randomObject(chance: Chance, workload: Netns): KernelObject {
  const netns = chance.of<Netns>(["host", workload]);
  const link = chance.of(["a", "b", "c"]);
  const on = { netns, link };
  const host = chance.of(["10.0.0.1", "10.0.0.2", "10.0.1.1"]);
  const host6 = chance.of(["fd00::1", "fd00::2", "fd01::1"]);
  switch (chance.below(12)) {
    case 0:
      return { kind: "veth", ends: [end(netns, link), end(netns, chance.of(["a", "b", "c"]))] };
    case 1:
    case 2:
      return { kind: "veth", ends: [end("host", link), end(workload, chance.of(["a", "b", "c"]))] };
    case 3:
      return {
        kind: "vxlan",
        ...end(netns, link),
        vni: 1 + chance.below(2),
        local: "10.0.0.1",
        remote: "10.0.0.9",
        port: 4789,
      };
    case 4:
    case 5:
      return { kind: "up", ...on };
    case 6:
      return { kind: "address", ...on, address: `${host}/${chance.of([24, 32])}` };
    case 7:
      return { kind: "address", ...on, address: `${host6}/${chance.of([64, 128])}` };
    case 8:
      return {
        kind: "route",
        ...on,
        destination: chance.of(["10.2.0.0/16", "10.3.0.0/16"]),
        ...(chance.below(2) ? { via: host } : {}),
      };
    case 9:
      return {
        kind: "route",
        ...on,
        destination: chance.of(["fd02::/16", "fd03::/32"]),
        ...(chance.below(2) ? { via: host6 } : {}),
      };
    case 10:
      return { kind: "neighbor", ...on, address: chance.of([host, host6]), mac: "02:00:00:00:00:77" };
    default:
      return { kind: "program", netns: isProgramAnywhere ? netns : "host", link, verdict: "pass" };
  }
}

function end(netns: Netns, name: string): LinkEnd {
  const mac = `02:00:00:00:${netns === "host" ? "00" : "01"}:0${"abc".indexOf(name)}`;
  return { netns, name, mac, mtuBytes: 1500, alias: name };
}
