import { watchOf } from "../../async/watch.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { FaultPlan } from "../faults.ts";
import type { Life } from "../life.ts";
import { type SimRandom, between } from "../random.ts";

/**
 * A host's kernel for one life of the host. The kernel survives a crash of the host, and a running batch goes on after the
 * crash; only its answer is lost. `nextBatch` numbers the batches of all lives, for the fault plan.
 */
export function guardedKernel(
  kernel: Kernel,
  life: Life,
  options: {
    readonly faults: FaultPlan;
    readonly random: SimRandom;
    readonly nextBatch: () => number;
  },
): Kernel {
  return {
    apply: (batch, given) => {
      const n = options.nextBatch();
      const failpoint = given?.failpoint ?? options.faults.kernel(life.host, n);
      const verbs = batch.map(({ verb, object }) => `${verb} ${object.kind}`).join(", ");
      const delayMs = between(options.random, "kernel latency", n, 50, 3000) / 1000;
      return life.deliver(
        { kind: "kernel.apply", detail: verbs, delayMs },
        kernel.apply(structuredClone(batch), failpoint && { failpoint }),
      );
    },
    observe: (queries) =>
      life.deliver({ kind: "kernel.observe", delayMs: 0.1 }, kernel.observe(structuredClone(queries))),
    nativeNetworks: (queries) =>
      life.deliver(
        { kind: "kernel.native-networks", delayMs: 0.1 },
        kernel.nativeNetworks(structuredClone(queries)),
      ),
    counters: (queries) =>
      life.deliver({ kind: "kernel.counters", delayMs: 0.1 }, kernel.counters(structuredClone(queries))),
    devices: (queries) =>
      life.deliver({ kind: "kernel.devices", delayMs: 0.1 }, kernel.devices(structuredClone(queries))),
    ways: (queries) =>
      life.deliver({ kind: "kernel.ways", delayMs: 0.1 }, kernel.ways(structuredClone(queries))),
    addresses: (queries) =>
      life.deliver({ kind: "kernel.addresses", delayMs: 0.1 }, kernel.addresses(structuredClone(queries))),
    drops: () => life.deliver({ kind: "kernel.drops", delayMs: 0.1 }, kernel.drops()),
    resolve: (netns) => life.deliver({ kind: "kernel.resolve", detail: netns }, kernel.resolve(netns)),
    settle: () => life.deliver({ kind: "kernel.settle" }, kernel.settle()),
    watch: (purpose) => {
      life.check("kernel.watch");
      const watch = kernel.watch(purpose);
      const forget = life.onEnd(() => watch.close());
      return watchOf({
        take: () => life.deliver({ kind: "kernel.event" }, watch.take()),
        close: () => {
          forget();
          watch.close();
        },
      });
    },
  };
}
