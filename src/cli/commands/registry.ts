import type { Command } from "commander";
import { NetloomError } from "../../errors/errors.ts";
import type { OpenIdentity } from "../../identity/identities.ts";
import type { Log } from "../../observe/log.ts";
import type { OpenStore } from "../../store/store-kind.ts";
import { openStore, storeSpellings } from "../../store/stores.ts";
import { describe, option, type CommandContext } from "../command.ts";
import {
  addIdentityOptions,
  announce,
  daemonLog,
  type DaemonOptions,
  logLevelOption,
  exampleOf,
  exporterOf,
  identityOf,
  traceOption,
  notifyFdOption,
  several,
  untilEnd,
} from "../daemon/daemon.ts";

interface RegistryCommandOptions extends DaemonOptions {
  readonly store: string;
  readonly lease?: number;
  readonly name: string;
}

const defaultUrl = "tcp://127.0.0.1:5002";

export function registryCommand(context: CommandContext): Command {
  const command = describe({
    name: "registry",
    description:
      "Runs the registry of a mesh, the list of services and endpoints of all hosts. It prints a line on stdout when it is " +
      "ready, and logs to stderr. Wires stay as they are while it is down. Needs no privilege. Exit code: 0 after SIGTERM, SIGINT or SIGHUP.",
    examples: [
      {
        command: exampleOf(
          "registry",
          "--listen tcp://10.0.0.9:5002 --store sqlite:/var/lib/netloom/registry.db",
        ),
        about: "keeps registrations over a restart",
      },
      { command: exampleOf("registry"), about: `in memory, on ${defaultUrl}` },
    ],
  })
    .addOption(
      option(
        "--listen <url>",
        `tcp://address:port or unix:///path, may be repeated (default: ${defaultUrl})`,
      ).argParser(several),
    )
    .addOption(option("--store <store>", storeSpellings()).default("memory"))
    .addOption(option("--name <name>", "name of this registry in paths").default("registry"))
    .addOption(
      option(
        "--lease <seconds>",
        "time that an endpoint is kept after its last registration or refresh (default: 60)",
      ).argParser(Number),
    );
  return addIdentityOptions(command)
    .addOption(logLevelOption())
    .addOption(traceOption())
    .addOption(notifyFdOption())
    .action(async (options: RegistryCommandOptions) => {
      const open = await identityOf("run the registry", options);
      await runRegistry(context, options, open);
      context.setExitCode(0);
    });
}

async function runRegistry(
  context: CommandContext,
  options: RegistryCommandOptions,
  open: OpenIdentity,
): Promise<void> {
  const listen = options.listen ?? [defaultUrl];
  const log = daemonLog(context, options.logLevel);
  if (options.lease !== undefined && !(options.lease >= 1 && options.lease <= 86_400))
    throw new NetloomError("INVALID_ARGUMENT", "--lease: expected a number of seconds from 1 to 86400");
  const { awaitAddresses, addressesOfUrl } = await import("../daemon/underlay.ts");
  await awaitAddresses(listen.flatMap(addressesOfUrl), log);
  const [{ nodeWorld }, { openRegistry }, { DEFAULT_LEASE_MS }] = await Promise.all([
    import("../../transport/node-world.ts"),
    import("../../roles/registry.ts"),
    import("../../registry/leases/lifetime.ts"),
  ]);
  // Loaded only for a socket, because it loads the kernel's side.
  const { peerCredentials } = listen.some((url) => url.startsWith("unix:"))
    ? await import("../../linux/processes/peer-credentials.ts")
    : {};
  const exporter = await exporterOf(options, log);
  const leaseMs = options.lease === undefined ? DEFAULT_LEASE_MS : options.lease * 1000;
  const world = nodeWorld({
    host: options.name,
    // A token is valid as long as a lease, so that no registration outlives its token.
    identity: (its) => open({ world: its, lifetimeMs: leaseMs }),
    ...(peerCredentials && { unixCredentials: peerCredentials }),
    log,
    ...(exporter && { exporter }),
  });
  let opened: OpenStore | undefined;
  try {
    opened = await openStore(options.store, "--store", {
      world,
      hops: world.hops,
      onProblem: tellProblem(log, options.store),
    });
    const role = await openRegistry({
      store: opened.store,
      world,
      name: options.name,
      identity: world.identity,
      leaseMs,
      listen,
    });
    const { services, endpoints } = role.status();
    log.info("the registry is open", { store: options.store, services, endpoints });
    await announce(context, `registry serves ${listen.join(", ")}`, options);
    await untilEnd(context, world.scope);
    log.info("ending", { ...role.status() });
  } finally {
    await world.close();
    await opened?.close();
  }
}

function tellProblem(log: Log, store: string): (problem: NetloomError | undefined) => void {
  return (problem) => {
    if (problem) log.error(problem.message, { hint: problem.hint });
    else log.info("the store accepts changes again", { store });
  };
}
