import type { KindWords } from "../kind.ts";

export const networkService: Readonly<KindWords> = {
  kind: "NetworkService",
  names: ["networkservice", "networkservices", "netsvc", "ns"],
  inFile: "network services",
  load: async () => (await import("./network-service.ts")).networkServiceKind,
};
