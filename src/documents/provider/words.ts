import { attachmentName, plainServiceName } from "../command.ts";
import { API_VERSION } from "../api-version.ts";
import type { KindWords } from "../kind.ts";

export const provider: Readonly<KindWords> = {
  apiVersion: API_VERSION,
  kind: "NetworkServiceProvider",
  names: ["networkserviceprovider", "networkserviceproviders", "provider", "providers"],
  end: "endpoint",
  inFile: "providers",
  counted: "offered",
  load: async () => (await import("./provider.ts")).providerKind,
  command: {
    name: "expose",
    summary: "offer services in a workload, without a file",
    description:
      "Offers services in a workload, without a file: writes a NetworkServiceProvider, and waits until the registry has it. Every " +
      "client gets a wire of its own, with a pair of addresses of each pool. Exit code: 1 if it is not offered when the " +
      "wait is over.",
    examples: [
      {
        command: "netloom expose db db --pool 172.16.0.0/24",
        about: "the named namespace db offers the service db",
      },
      {
        command: "netloom expose two/beta/db db --pool 172.16.0.0/24 --pool fd00:1::/64",
        about: "IPv4 and IPv6, from a workload of a lab",
      },
      {
        command: "netloom expose /run/netns/gw internet --pool 10.9.0.0/16 --route 0.0.0.0/0",
        about: "clients reach everything through it",
      },
      {
        command: "netloom expose db db -o json",
        about: '{"applied": […], "attachments": […], "wires": []}',
      },
    ],
    workload: "db",
    services: "names of services",
    interface: "prefix of the device names, at most 10 bytes",
    options: [
      {
        flags: "--pool <prefix>",
        about: "every wire gets a pair of its addresses; of prefix,prefix the first with room counts",
        isRepeated: true,
      },
      { flags: "--route <prefix>", about: "prefix that clients reach through the wire", isRepeated: true },
      {
        flags: "--payload <payload>",
        about: "payload of a service without a NetworkService",
        choices: ["ETHERNET", "IP"],
      },
    ],
    documents: (given) => {
      const routes = given.texts("route");
      return [
        {
          metadata: {
            name: given.name ?? attachmentName(given.label, ...given.services.map(plainServiceName)),
            labels: given.labels,
          },
          spec: {
            workload: given.workload,
            services: given.services,
            interface: given.interface,
            pools: given.texts("pool")?.map((pool) => (pool.includes(",") ? pool.split(",") : pool)),
            routes: routes && { client: routes },
            excludedPrefixes: given.exclude,
            payload: given.text("payload"),
            mtu: given.mtu,
          },
        },
      ];
    },
  },
};
