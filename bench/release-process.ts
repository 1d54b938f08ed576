/**
 * The cost of remote wires in one version of Netloom, in a process of its own: makes and then closes near halves, one after
 * the other, as many as given. Usage: release-process.ts <folder of the version> <wires>. Prints `Cost` as JSON.
 */
import { readFileSync } from "node:fs";
import type { Bed as ThisBed, wireOf as thisWireOf } from "./bed.ts";
import type { planWire as thisPlanWire } from "../src/forwarder/plan/plan-wire.ts";
import type { Reconciler as ThisReconciler } from "../src/forwarder/reconcile/reconcile.ts";

export interface Cost {
  /** Kernel processor time of all threads to make one wire, and to close it, in milliseconds. */
  readonly makeMs: number;
  readonly closeMs: number;
  /** Kernel memory for one wire, in bytes: slabs and per-processor data. */
  readonly memoryBytes: number;
}

const [folder = "", wires = "0"] = process.argv.slice(2);
const count = Number(wires);
/** Wires made before the measurement, so that caches and the shared tunnel device exist. */
const WARM_UP = 10;

const load = async <T>(path: string): Promise<T> => (await import(`${folder}/${path}`)) as T;
const { Bed, wireOf } = await load<{ Bed: typeof ThisBed; wireOf: typeof thisWireOf }>("bench/bed.ts");
const { planWire } = await load<{ planWire: typeof thisPlanWire }>("src/forwarder/plan/plan-wire.ts");
const { Reconciler } = await load<{ Reconciler: typeof ThisReconciler }>(
  "src/forwarder/reconcile/reconcile.ts",
);

/** Kernel memory in slabs and per-processor data, in bytes. */
function kernelMemory(): number {
  const text = readFileSync("/proc/meminfo", "utf8");
  const of = (name: string): number => Number(new RegExp(`^${name}: +(\\d+) kB`, "m").exec(text)?.[1]) * 1024;
  return of("Slab") + of("Percpu");
}

await Bed.use(async (bed) => {
  const reconciler = new Reconciler(bed.alpha);
  const make = async (first: number, many: number): Promise<void> => {
    for (let n = first; n < first + many; n++)
      await reconciler.apply(planWire(wireOf({ number: n, kind: "near" })));
  };
  const close = async (first: number, many: number): Promise<void> => {
    for (let n = first; n < first + many; n++) await reconciler.remove(`bench-${n}`);
    await bed.settle();
  };
  // One wire stays: objects that wires share are not part of the cost.
  await make(0, WARM_UP);
  await close(1, WARM_UP - 1);
  const kernelMs = (): number => process.cpuUsage().system / 1_000;
  const [memory, start] = [kernelMemory(), kernelMs()];
  await make(WARM_UP, count);
  const [made, full] = [kernelMs(), kernelMemory()];
  await close(WARM_UP, count);
  const closed = kernelMs();
  const cost: Cost = {
    makeMs: (made - start) / count,
    closeMs: (closed - made) / count,
    memoryBytes: (full - memory) / count,
  };
  console.log(JSON.stringify(cost));
});
process.exit(0);
