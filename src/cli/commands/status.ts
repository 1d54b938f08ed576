import type { Command } from "commander";
import { describe, option, outputOption, type CommandContext } from "../command.ts";
import type { AgentClient } from "../mesh/agent-access.ts";
import { addAgentOptions, type AgentChoice } from "../mesh/agent-options.ts";
import type { Format } from "../output.ts";

interface Options extends AgentChoice {
  readonly output: Format;
  readonly watch?: boolean;
  readonly wide?: boolean;
}

export function statusCommand(context: CommandContext): Command {
  return addAgentOptions(
    describe({
      name: "status",
      description:
        "Shows the wires of a host with path, endpoint, addresses, MTU, state and age. Problems come first, each with its " +
        "reason and what to do. With --lab alone it shows all hosts of the lab on one screen. Exit code: 1 if something is " +
        "not up.",
      examples: [
        { command: "netloom status", about: "this host" },
        {
          command: "netloom status --watch",
          about: "redrawn after each change, until Ctrl-C",
        },
        { command: "netloom status --lab two", about: "all hosts of a lab" },
        {
          command: "netloom status -o json",
          about:
            '{"hosts": [{"host", "registry", …}], "workloads", "services", "endpoints", "attachments": [{"host", "kind", "name", "state", "reason", "cause": {"name", "fields"}, …}], ' +
            '"wires": [{"wire", "id", "service", "client", "endpoint", "path", "addresses", "mtuBytes", "state", ' +
            '"upSince", "interfaces", "hosts", "hops", "attachments"}]}',
        },
      ],
    }),
  )
    .addOption(option("-w, --watch", "keep running and show every change; as JSON, one document per line"))
    .addOption(option("--wide", "all addresses of each wire, not only the first ones"))
    .addOption(outputOption())
    .action(async (options: Options) => {
      const { allTargets, withAgents } = await import("../mesh/agent-access.ts");
      const targets = allTargets(options);
      if (options.watch !== true)
        return await withAgents(context, targets, (agents) => showStatus(context, agents, options));
      const watching = { ...context, signal: context.audience };
      await withAgents(watching, targets, (agents) => watchStatus(watching, agents, options));
    });
}

type Agents = readonly AgentClient[];

async function showStatus(context: CommandContext, agents: Agents, options: Options): Promise<void> {
  const [{ askStatus }, { isUp, meshView }] = await Promise.all([
    import("../mesh/ask-status.ts"),
    import("../../view/mesh-view.ts"),
  ]);
  const view = meshView(await askStatus(agents, { counters: options.output === "json" }));
  if (options.output === "json") {
    context.out.json(view);
  } else {
    const [{ statusScreen }, { printLines }] = await Promise.all([
      import("../mesh/status-screen.ts"),
      import("../mesh/live-screen.ts"),
    ]);
    printLines(context.out, statusScreen(view, Date.now(), { wide: options.wide === true }));
  }
  context.setExitCode(isUp(view) ? 0 : 1);
}

async function watchStatus(context: CommandContext, agents: Agents, options: Options): Promise<void> {
  const [{ followAgents }, { meshView }, { statusScreen }, { LiveScreen }] = await Promise.all([
    import("../mesh/follow-agents.ts"),
    import("../../view/mesh-view.ts"),
    import("../mesh/status-screen.ts"),
    import("../mesh/live-screen.ts"),
  ]);
  const screen = new LiveScreen(context.out);
  await followAgents(agents, context.signal, (known) => {
    const view = meshView(known.flatMap(({ status }) => status ?? []));
    const silent = known.flatMap(({ silence }) => silence ?? []);
    if (options.output === "json") {
      return context.out.jsonLine({ ...view, silent: silent.map(({ message }) => message) });
    }
    const warnings = silent.map(({ message }) => ({ text: `! ${message}`, style: "red" as const }));
    screen.draw([...warnings, ...statusScreen(view, Date.now(), { wide: options.wide === true })]);
  });
}
