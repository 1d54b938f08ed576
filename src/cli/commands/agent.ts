import { hostname } from "node:os";
import { dirname, resolve } from "node:path";
import { mkdir } from "node:fs/promises";
import type { Command } from "commander";
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
import { agentListeners } from "../daemon/listeners.ts";
import type { Settings } from "../../mechanisms/mechanism-type.ts";
import { addMechanismOptions, readMechanismOptions } from "../mechanism-options.ts";
import { defaultAgent } from "../mesh/agent-options.ts";
import { NetloomError } from "../../errors/errors.ts";
import type { OpenIdentity } from "../../identity/identities.ts";

interface AgentCommandOptions extends DaemonOptions {
  readonly name: string;
  readonly registry?: readonly string[];
  readonly tunnelIp?: readonly string[];
  readonly underlayMtu?: number;
  readonly stateDir: string;
  readonly bpffs: string;
  readonly fastPath: boolean;
  readonly url?: string;
  readonly excludePrefix?: readonly string[];
  readonly sweepAfter?: number;
  readonly closeOnExit?: boolean;
  readonly allowHostWorkload?: boolean;
}

interface AgentRunOptions extends AgentCommandOptions {
  /** Settings of its mechanisms, by type. */
  readonly mechanisms: Readonly<Record<string, Settings>>;
}

const defaultRegistry = "tcp://127.0.0.1:5002";

export function agentCommand(context: CommandContext): Command {
  const command = describe({
    name: "agent",
    description:
      "Runs the agent of this host: its manager, its forwarder, and the attachments of its workloads. Clients and " +
      "endpoints of this host connect over the unix socket, other hosts over TCP. It prints a line on stdout when it is " +
      "ready, and logs to stderr. When it ends, all wires stay, and the next start takes them over. Only one agent " +
      "can use a network namespace, a state folder or a folder of pins. Needs root. " +
      "Exit code: 0 after SIGTERM, SIGINT or SIGHUP.",
    examples: [
      {
        command: `sudo ${exampleOf("agent", "--tunnel-ip 10.0.0.1 --registry tcp://10.0.0.9:5002 --listen tcp://10.0.0.1:5001")}`,
        about: "serves this host on the default socket, and other hosts on TCP",
      },
      {
        command: `sudo ${exampleOf("agent", "--registry tcp://127.0.0.1:5002 --close-on-exit")}`,
        about: "only wires within this host; they are removed when it ends",
      },
    ],
  })
    .addOption(
      option("--name <host>", "the host's name, unique in the mesh").default(hostname(), "the machine's"),
    )
    .addOption(
      option(
        "--listen <url>",
        `unix:///path or tcp://address:port, may be repeated; without a unix URL also ${defaultAgent}`,
      ).argParser(several),
    )
    .addOption(
      option(
        "--registry <url>",
        `the registry of the mesh; of several with one store all of them, repeated or with commas, the preferred one first (default: ${defaultRegistry})`,
      ).argParser(several),
    )
    .addOption(
      option("--tunnel-ip <address>", "this host's address for tunnels, one for each family").argParser(
        several,
      ),
    )
    .addOption(
      option(
        "--underlay-mtu <bytes>",
        "largest MTU of the network between the hosts (default: the MTU of the routes to them)",
      ).argParser(Number),
    );
  addMechanismOptions(command, (each) => String(each.default))
    .addOption(
      option(
        "--url <url>",
        "the agent's URL for other hosts, with an address or a name (default: the first TCP listener)",
      ),
    )
    .addOption(
      option("--state-dir <directory>", "where the agent keeps its documents").default("/var/lib/netloom"),
    )
    .addOption(option("--bpffs <directory>", "where eBPF programs are pinned").default("/run/netloom/bpf"))
    .addOption(
      option(
        "--no-fast-path",
        "send tunnel packets through the kernel's own stack, where the host's netfilter rules see them; slower",
      ),
    )
    .addOption(
      option(
        "--exclude-prefix <prefix>",
        "no endpoint may give addresses of this prefix, may be repeated",
      ).argParser(several),
    )
    .addOption(
      option(
        "--sweep-after <seconds>",
        "time after which unclaimed wires of an earlier run are removed (default: 600)",
      ).argParser(Number),
    )
    .addOption(
      option(
        "--allow-host-workload",
        "allow the host's own namespace as a workload; a wire that would cut the host off is still refused",
      ),
    )
    .addOption(option("--close-on-exit", "remove the wires of all attachments when the agent ends"));
  return addIdentityOptions(command)
    .addOption(logLevelOption())
    .addOption(traceOption())
    .addOption(notifyFdOption())
    .action((given: AgentCommandOptions) =>
      start(context, { ...given, mechanisms: readMechanismOptions(command) }),
    );
}

async function start(context: CommandContext, options: AgentRunOptions): Promise<void> {
  const { requirePrivileges } = await import("../doctor/privileges.ts");
  requirePrivileges(`run the agent of ${options.name}`, exampleOf("agent", "…"));
  const open = await identityOf(`run the agent of ${options.name}`, options);
  await runAgent(context, options, open);
  context.setExitCode(0);
}

async function runAgent(
  context: CommandContext,
  options: AgentRunOptions,
  open: OpenIdentity,
): Promise<void> {
  const { checkTunnelAddresses } = await import("../daemon/underlay.ts");
  const listen = agentListeners(options.listen);
  checkName(options.name);
  if (options.url !== undefined) await checkUrl(options.url);
  checkNumbers(options);
  const tunnelAddresses = checkTunnelAddresses(options.tunnelIp ?? []);
  const { lockAgent } = await import("../../linux/processes/agent-lock.ts");
  const unlock = await lockAgent({
    host: options.name,
    stateFolder: resolve(options.stateDir),
    bpffs: resolve(options.bpffs),
  });
  try {
    await runLocked(context, options, { listen, tunnelAddresses, open });
  } finally {
    await unlock();
  }
}

/** Runs the agent while it holds all locks: no other agent works on the same namespace, state or pins. */
async function runLocked(
  context: CommandContext,
  options: AgentRunOptions,
  {
    listen,
    tunnelAddresses,
    open,
  }: {
    readonly listen: readonly string[];
    readonly tunnelAddresses: readonly string[];
    readonly open: OpenIdentity;
  },
): Promise<void> {
  const log = daemonLog(context, options.logLevel);
  const { warnOfLimits } = await import("../daemon/machine-limits.ts");
  warnOfLimits(log);
  for (const url of listen)
    if (url.startsWith("unix:///")) await makeFolder(dirname(url.slice("unix://".length)));
  const { openAgentWorld } = await import("../daemon/agent-world.ts");
  const exporter = await exporterOf(options, log);
  const opened = await openAgentWorld({
    host: options.name,
    stateFolder: options.stateDir,
    bpffs: options.bpffs,
    fastPath: options.fastPath,
    identity: (its) => open({ world: its }),
    log,
    ...(exporter && { exporter }),
  });
  const { world } = opened;
  try {
    const [{ openAgent }, { versions }] = await Promise.all([
      import("../../agent/agent.ts"),
      import("./version.ts"),
    ]);
    const role = await openAgent({
      world,
      identity: opened.identity,
      url: options.url ?? urlOf(listen, tunnelAddresses),
      listen,
      registries: options.registry ?? [defaultRegistry],
      tunnelAddresses,
      ...(options.underlayMtu !== undefined && { underlayMtuBytes: options.underlayMtu }),
      mechanisms: options.mechanisms,
      excludedPrefixes: options.excludePrefix ?? [],
      allowHostWorkload: options.allowHostWorkload ?? false,
      ...(options.sweepAfter !== undefined && { sweepAfterMs: options.sweepAfter * 1000 }),
      stateFolder: resolve(options.stateDir),
      processes: opened.processes,
      prober: opened.prober,
      capturer: opened.capturer,
      version: versions().version,
    });
    const served = listen.filter((each) => !role.awaited.includes(each));
    const waits = role.awaited.length > 0 ? `; it waits for the address of ${role.awaited.join(", ")}` : "";
    await announce(context, `agent ${options.name} serves ${served.join(", ")}${waits}`, options);
    await untilEnd(context, world.scope);
    log.info("ending", { wires: role.wires.made.size, stay: options.closeOnExit !== true });
    if (options.closeOnExit === true) await role.attachments.closeAll();
  } finally {
    await opened.close();
  }
}

/** Refuses a name that is not unique in a mesh or not valid as a host's: other hosts and path segments use it. */
function checkName(name: string): void {
  if (/^localhost(\.|$)/.test(name))
    throw new NetloomError(
      "INVALID_ARGUMENT",
      `--name ${name}: many machines have this name, and a host's name is unique in a mesh`,
      { hint: "name this host with --name, or the machine: hostnamectl hostname <name>" },
    );
  if (/^[A-Za-z0-9]([A-Za-z0-9.-]{0,61}[A-Za-z0-9])?$/.test(name)) return;
  throw new NetloomError("INVALID_ARGUMENT", `--name ${JSON.stringify(name)}: it is not a host name`, {
    hint: "use 1-63 letters, digits, dots and hyphens, a letter or digit at both ends",
  });
}

/** Checks the URL that other hosts dial. They resolve a host name themselves. */
async function checkUrl(url: string): Promise<void> {
  const { checkTarget } = await import("../../transport/url.ts");
  try {
    checkTarget(url);
  } catch (error) {
    if (!(error instanceof NetloomError)) throw error;
    const { code, message, hint = "" } = error;
    throw new NetloomError(code, `--url: ${message}`, { cause: error, hint });
  }
}

function checkNumbers({ underlayMtu, sweepAfter }: AgentCommandOptions): void {
  const check = (name: string, value: number | undefined, least: number, most: number): void => {
    if (value === undefined || (value >= least && value <= most)) return;
    throw new NetloomError("INVALID_ARGUMENT", `${name}: expected a number from ${least} to ${most}`);
  };
  check("--underlay-mtu", underlayMtu, 576, 65_535);
  check("--sweep-after", sweepAfter, 0, 86_400);
}

/** The URL for other hosts. If a listener is on every address, it has the tunnel's address. */
function urlOf(listen: readonly string[], tunnelAddresses: readonly string[]): string {
  const url = listen.find((each) => each.startsWith("tcp://"));
  if (url === undefined) return listen[0] ?? defaultAgent;
  const port = url.split(":").at(-1);
  const own = tunnelAddresses[0];
  if (!/^tcp:\/\/(0\.0\.0\.0|\[::\]):/.test(url) || own === undefined) return url;
  return `tcp://${own.includes(":") ? `[${own}]` : own}:${port}`;
}

async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o755 });
  } catch (error) {
    throw new NetloomError("FAILED_PRECONDITION", `make folder ${path}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
