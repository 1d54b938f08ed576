import type { Command } from "commander";
import { plainName } from "./connect.ts";
import { workloadForms } from "../resolvers/workload-ref.ts";
import { describe, option, outputOption, type Context } from "./command.ts";
import { repeatable } from "./repeatable.ts";
import { addWishOptions, applyWish, type WishOptions } from "./mesh/wish-command.ts";

interface Options extends WishOptions {
  readonly pool?: readonly string[];
  readonly route?: readonly string[];
  readonly dns?: readonly string[];
  readonly payload?: string;
}

export function exposeCommand(context: Context): Command {
  return addWishOptions(
    describe({
      name: "expose",
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
    }),
    { interfaceHelp: "what names of devices begin with, at most 10 bytes" },
  )
    .argument("<workload>", workloadForms("db"))
    .argument("<service...>", "names of services")
    .addOption(
      repeatable(
        "--pool <prefix>",
        "a pair of addresses of it for every wire, or of the first prefix,prefix with room",
      ),
    )
    .addOption(repeatable("--route <prefix>", "what clients reach through the wire"))
    .addOption(repeatable("--dns <server>", "name servers for clients"))
    .addOption(
      option("--payload <payload>", "of a service that nobody has described yet").choices(["ETHERNET", "IP"]),
    )
    .addOption(outputOption())
    .action(async (workload: string, services: readonly string[], options: Options, command: Command) => {
      const { attachmentName, readLabels } = await import("./mesh/workload.ts");
      const { dns: servers, route: routes } = options;
      await applyWish(context, command, {
        workload,
        options,
        documents: ({ workload, label }) => [
          {
            kind: "Expose",
            name: options.name ?? attachmentName(label, ...services.map(plainName)),
            workload,
            services,
            interface: options.interface,
            pools: options.pool?.map((pool) => (pool.includes(",") ? pool.split(",") : pool)),
            labels: readLabels(options.label),
            routes: routes && { client: routes },
            dns: servers && [{ servers }],
            excludedPrefixes: options.exclude,
            payload: options.payload,
            mtu: options.mtu,
          },
        ],
      });
    });
}
