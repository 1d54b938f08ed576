import { Argument, type Command } from "commander";
import { describe, option, type CommandContext } from "../command.ts";
import { NAMES, type Names } from "../completion/tree.ts";
import { agentOptionsOf } from "../mesh/agent-options.ts";

const shells = ["bash", "zsh", "fish"] as const;
type Shell = (typeof shells)[number];

interface Options {
  readonly names?: Names;
  readonly line?: string;
}

export function completionCommand(context: CommandContext): Command {
  return describe({
    name: "completion",
    description:
      "Prints a script that completes commands, options and their values in a shell; names of wires, attachments and " +
      "services come from the agent that the command line names.",
    examples: [
      { command: "source <(netloom completion bash)", about: "in ~/.bashrc" },
      { command: "source <(netloom completion zsh)", about: "in ~/.zshrc, after compinit" },
      { command: "netloom completion fish | source", about: "in ~/.config/fish/config.fish" },
    ],
  })
    .addArgument(new Argument("[shell]", "the shell").choices(shells))
    .addOption(option("--names <what>", "for the scripts: names of that kind").choices(NAMES).hideHelp())
    .addOption(option("--line <text>", "for the scripts: the command line so far").hideHelp())
    .action(async (shell: Shell | undefined, { names, line = "" }: Options, command: Command) => {
      if (names !== undefined) return await printNames(context, names, line.split(/\s+/));
      if (shell === undefined) command.error("error: missing required argument 'shell'");
      context.out.write(await scriptFor(shell, context));
    });
}

async function printNames(context: CommandContext, what: Names, words: readonly string[]): Promise<void> {
  const { namesOf } = await import("../completion/names.ts");
  for (const name of await namesOf(what, agentOptionsOf(words, process.env))) context.out.line(name);
}

async function scriptFor(shell: Shell, context: CommandContext): Promise<string> {
  const [{ buildProgram }, { completionTree }] = await Promise.all([
    import("../program.ts"),
    import("../completion/tree.ts"),
  ]);
  const tree = completionTree(await buildProgram(context, "all"));
  switch (shell) {
    case "bash":
      return (await import("../completion/bash.ts")).bashCompletion(tree);
    case "zsh":
      return (await import("../completion/zsh.ts")).zshCompletion(tree);
    case "fish":
    default:
      return (await import("../completion/fish.ts")).fishCompletion(tree);
  }
}
