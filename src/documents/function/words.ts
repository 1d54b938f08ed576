import type { KindWords } from "../kind.ts";

export const networkFunction: Readonly<KindWords> = {
  kind: "Function",
  names: ["function", "functions"],
  inFile: "Function",
  load: async () => (await import("./function.ts")).functionKind,
};
