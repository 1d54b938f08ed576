/**
 * Closes the wires of dead workloads: those of other programs' clients and endpoints, and unclaimed ones. They are closed
 * at once, not only when their tokens expire.
 */
import { keepOn } from "../attachments/keep-on.ts";
import type { KeptWires } from "./kept-wires.ts";
import { deviceOf } from "../mechanisms/list.ts";
import { Signal } from "../async/signal.ts";
import { NetloomError } from "../errors/errors.ts";
import type { Kernel, KernelEvent, Netns } from "../kernel/kernel.ts";
import type { Scope } from "../async/scope.ts";
import type { World } from "../world/world.ts";

export interface DeadWorkloadsOptions {
  readonly world: World;
  readonly kernel: Kernel;
  readonly wires: Pick<KeptWires, "each" | "found" | "bury" | "isHollow">;
  /** Ids of the wires of attachments, which close them themselves. */
  readonly own: () => ReadonlySet<string>;
  readonly drop: (connectionId: string) => Promise<void>;
}

/** Time to gather events before one check. */
const GATHER_MS = 20;

/** Watches for dead workloads until `World.scope` ends. */
export function closeDeadWorkloads(options: DeadWorkloadsOptions): void {
  const { world } = options;
  const signal = new Signal();
  const keep = (what: string, task: (scope: Scope) => Promise<void>): void =>
    world.scope.spawn(what, (scope) => keepOn(world, what, scope, task));
  keep("watch for dead namespaces", async (scope) => {
    const watch = options.kernel.watch("namespaces");
    // A workload may have died before the watch started.
    signal.ring();
    for await (const event of watch.within(scope)) if (isOfInterest(event)) signal.ring();
  });
  keep("close wires of dead workloads", async (scope) => {
    while (!scope.ended) {
      await signal.wait(world.clock, scope, Infinity);
      if (scope.ended) return;
      await world.clock.sleep(GATHER_MS, scope);
      try {
        await closeDead(options, scope);
      } catch (error) {
        // The remaining wires still have to be checked.
        signal.ring();
        throw error;
      }
    }
  });
}

function isOfInterest({ type }: KernelEvent): boolean {
  return type === "netns-removed" || type === "resync";
}

async function closeDead({ kernel, wires, own, drop }: DeadWorkloadsOptions, scope: Scope): Promise<void> {
  const isDead = new Map<Netns, boolean>();
  const others = own();
  const isDeadNow = async (netns: Netns): Promise<boolean> => {
    const known = isDead.get(netns) ?? (await isGone(kernel, netns));
    isDead.set(netns, known);
    return known;
  };
  for (const [id, { ends }] of wires.found) {
    if (scope.ended) return;
    const places = Object.values(ends).map(({ netns }) => netns);
    let isLost = places.length === 0 && (await wires.isHollow(id));
    for (const netns of places) isLost ||= await isDeadNow(netns);
    if (isLost) await wires.bury(id);
  }
  for (const wire of wires.each()) {
    if (scope.ended) return;
    if (others.has(wire.connectionId)) continue;
    for (const side of [wire.client, wire.endpoint]) {
      const device = deviceOf(side);
      if (device && (await isDeadNow(device.netns))) {
        await drop(wire.connectionId);
        break;
      }
    }
  }
}

async function isGone(kernel: Kernel, netns: Netns): Promise<boolean> {
  try {
    await kernel.resolve(netns);
    return false;
  } catch (error) {
    if (error instanceof NetloomError && error.code === "NOT_FOUND") return true;
    if (error instanceof NetloomError) return false;
    throw error;
  }
}
