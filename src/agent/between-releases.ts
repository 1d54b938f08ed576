/** Converts wires between this version and release 0.1.0, while packets flow. */
import type { Kernel } from "../kernel/kernel.ts";
import type { Replacement } from "../forwarder/plan/former-devices.ts";
import { restoreDevices } from "../forwarder/plan/restore-devices.ts";

/** Replaces devices step by step. Each step starts when the kernel has freed the devices that the step before removed. */
export async function replace(
  kernel: Pick<Kernel, "apply" | "settle">,
  { lead, remove, complete, turn = [] }: Replacement,
): Promise<void> {
  await kernel.apply(lead);
  await kernel.apply(remove);
  await kernel.settle();
  await kernel.apply(complete);
  await kernel.apply(turn);
  await kernel.settle();
}

/**
 * Converts a host's wires so that an agent of release 0.1.0 takes them over. Returns the number of tunnels that got a
 * device. No agent may run.
 */
export async function giveBack(kernel: Pick<Kernel, "apply" | "settle" | "observe">): Promise<number> {
  const restoration = restoreDevices(await kernel.observe([{ netns: "host" }]));
  if (!restoration) return 0;
  await replace(kernel, restoration);
  return restoration.tunnels;
}
