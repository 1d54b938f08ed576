import { attachmentName, plainServiceName } from "../command.ts";
import { API_VERSION } from "../api-version.ts";
import type { KindWords } from "../kind.ts";

export const client: Readonly<KindWords> = {
  apiVersion: API_VERSION,
  kind: "NetworkServiceClient",
  names: ["networkserviceclient", "networkserviceclients", "client", "clients", "nsc"],
  end: "client",
  inFile: "clients",
  counted: "requested",
  load: async () => (await import("./client.ts")).clientKind,
  command: {
    name: "connect",
    summary: "request a wire from a workload to a service, without a file",
    description:
      "Requests a wire from a workload to a service, without a file: writes a NetworkServiceClient, and waits until it is up. It is " +
      "kept and healed until netloom delete. Exit code: 1 if it is not up when the wait is over.",
    examples: [
      { command: "netloom connect web db", about: "the named namespace web (ip netns) to the service db" },
      {
        command: "netloom connect /run/netns/web kernel://db/nsm-1?app=web",
        about: "with the device and labels, as upstream writes them",
      },
      { command: "netloom connect two/alpha/web db --label app=web", about: "a workload of lab two" },
      {
        command: "netloom connect pid:4711 db -o json",
        about: '{"applied": […], "attachments": […], "wires": [{"wire", "path", "addresses", …}]}',
      },
    ],
    workload: "web",
    services: "names, or kernel://service/interface?label=value",
    interface: "name of the device in the workload",
    options: [{ flags: "--endpoint <name>", about: "the required endpoint" }],
    refuse: (given) =>
      given.services.length > 1 && (given.name ?? given.interface) !== undefined
        ? "--name and --interface are for one service"
        : undefined,
    documents: (given) =>
      given.services.map((service) => ({
        metadata: {
          name: given.name ?? attachmentName(given.label, plainServiceName(service)),
          labels: given.labels,
        },
        spec: {
          workload: given.workload,
          service,
          interface: given.interface,
          mtu: given.mtu,
          excludedPrefixes: given.exclude,
          endpoint: given.text("endpoint"),
        },
      })),
  },
};
