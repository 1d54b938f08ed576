import type { StoreKind } from "../store-kind.ts";

/** A store in the memory of the process. It is lost when the process ends. */
export const memoryKind: Readonly<StoreKind> = {
  scheme: "memory",
  spelling: "memory",
  rest: "",
  isShared: false,
  open: async (_rest, { world }) => {
    const { MemoryStore } = await import("./memory-store.ts");
    return { store: new MemoryStore(world), close: () => Promise.resolve() };
  },
};
