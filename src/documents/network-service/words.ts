import { UPSTREAM_API_VERSION } from "../api-version.ts";
import type { KindWords } from "../kind.ts";

export const networkService: Readonly<KindWords> = {
  apiVersion: UPSTREAM_API_VERSION,
  kind: "NetworkService",
  names: ["networkservice", "networkservices", "netsvc"],
  inFile: "services",
  load: async () => (await import("./network-service.ts")).networkServiceKind,
};
