import { KernelError, type Kernel } from "../../world/kernel.ts";

function refuse(): never {
  throw new KernelError("FAILED_PRECONDITION", "use the kernel: this process has nothing to do with it");
}

/** For a process that makes no wires. */
export const NO_KERNEL: Readonly<Kernel> = {
  apply: async () => refuse(),
  observe: async () => refuse(),
  nativeNetworks: async () => refuse(),
  counters: async () => refuse(),
  resolve: async () => refuse(),
  watch: refuse,
  settle: async () => undefined,
};
