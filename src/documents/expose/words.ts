import { attachmentName, plainServiceName } from "../command.ts";
import type { KindWords } from "../kind.ts";

export const expose: Readonly<KindWords> = {
  kind: "Expose",
  names: ["expose", "exposes"],
  end: "endpoint",
  inFile: "Expose",
  counted: "offered",
  load: async () => (await import("./expose.ts")).exposeKind,
  command: {
    name: "expose",
    summary: "offer services in a workload, without a file",
    description:
      "Offers services in a workload, without a file: writes an Expose, and waits until the registry has it. Every " +
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
    interface: "what names of devices begin with, at most 10 bytes",
    options: [
      {
        flags: "--pool <prefix>",
        about: "a pair of addresses of it for every wire, or of the first prefix,prefix with room",
        isRepeated: true,
      },
      { flags: "--route <prefix>", about: "what clients reach through the wire", isRepeated: true },
      { flags: "--dns <server>", about: "name servers for clients", isRepeated: true },
      {
        flags: "--payload <payload>",
        about: "of a service that nobody has described yet",
        choices: ["ETHERNET", "IP"],
      },
    ],
    documents: (given) => {
      const [servers, routes] = [given.texts("dns"), given.texts("route")];
      return [
        {
          kind: "Expose",
          name: given.name ?? attachmentName(given.label, ...given.services.map(plainServiceName)),
          workload: given.workload,
          services: given.services,
          interface: given.interface,
          pools: given.texts("pool")?.map((pool) => (pool.includes(",") ? pool.split(",") : pool)),
          labels: given.labels,
          routes: routes && { client: routes },
          dns: servers && [{ servers }],
          excludedPrefixes: given.exclude,
          payload: given.text("payload"),
          mtu: given.mtu,
        },
      ];
    },
  },
};
