import { API_VERSION } from "../api-version.ts";
import type { KindWords } from "../kind.ts";

export const serviceFunction: Readonly<KindWords> = {
  apiVersion: API_VERSION,
  kind: "ServiceFunction",
  names: ["servicefunction", "servicefunctions", "function", "functions"],
  inFile: "functions",
  load: async () => (await import("./service-function.ts")).serviceFunctionKind,
};
