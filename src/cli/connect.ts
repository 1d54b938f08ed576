import type { Command } from "commander";
import { workloadForms } from "../resolvers/workload-ref.ts";
import { describe, option, outputOption, type Context } from "./command.ts";
import { addWishOptions, applyWish, type WishOptions } from "./mesh/wish-command.ts";

interface Options extends WishOptions {
  readonly endpoint?: string;
}

export function connectCommand(context: Context): Command {
  return addWishOptions(
    describe({
      name: "connect",
      description:
        "Asks for a wire from a workload to a service, without a file: writes a Connect, and waits until it is up. It is " +
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
    }),
    { interfaceHelp: "name of the device in the workload" },
  )
    .argument("<workload>", workloadForms("web"))
    .argument("<service...>", "names, or kernel://service/interface?label=value")
    .addOption(option("--endpoint <name>", "the one endpoint to take"))
    .addOption(outputOption())
    .action(async (workload: string, services: readonly string[], options: Options, command: Command) => {
      if (services.length > 1 && (options.name ?? options.interface) !== undefined)
        command.error("error: --name and --interface are for one service");
      const { attachmentName, readLabels } = await import("./mesh/workload.ts");
      await applyWish(context, command, {
        workload,
        options,
        documents: ({ workload, label }) =>
          services.map((service) => ({
            kind: "Connect",
            name: options.name ?? attachmentName(label, plainName(service)),
            workload,
            service,
            interface: options.interface,
            labels: readLabels(options.label),
            mtu: options.mtu,
            excludedPrefixes: options.exclude,
            endpoint: options.endpoint,
          })),
      });
    });
}

/** `db` of `kernel://db.example/nsm-1?app=web` */
export function plainName(service: string): string {
  return /^(?:[^:]*:\/\/)?([^/?#]*)/.exec(service)?.[1] ?? service;
}
