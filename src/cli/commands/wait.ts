import { type Command, InvalidArgumentError } from "commander";
import { describe, option, type CommandContext } from "../command.ts";
import { addAgentOptions, type AgentChoice } from "../mesh/agent-options.ts";
import type { Goal } from "../mesh/wait-for.ts";
import { parseWait } from "../wait.ts";

interface Options extends AgentChoice {
  readonly for: Goal;
  readonly timeout: number;
}

export function waitCommand(context: CommandContext): Command {
  return addAgentOptions(
    describe({
      name: "wait",
      description:
        "Waits until documents, wires or services have a condition, or are deleted. A service is ready when an endpoint offers it. " +
        "Exit code: 1 if the time is over first.",
      examples: [
        { command: "netloom wait web-db --for=condition=Ready", about: "a document, by its name" },
        { command: "netloom wait wire/alpha/web/to-db --for=condition=Ready --timeout 60", about: "a wire" },
        { command: "netloom wait service/db --for=condition=Ready", about: "a service of the mesh" },
        { command: "netloom wait client/web-db --for=delete", about: "until it is gone" },
      ],
    }),
  )
    .argument("<thing...>", "a document (name or kind/name), wire/<wire>, service/<name>")
    .addOption(
      option("--for <goal>", "condition=Ready, condition=Healing=False, or delete")
        .argParser(parseGoal)
        .makeOptionMandatory(),
    )
    .addOption(option("--timeout <seconds>", "how long to wait").argParser(parseWait).default(30_000, "30"))
    .action(async (things: readonly string[], options: Options) => {
      const [{ withAgent }, { waitFor }] = await Promise.all([
        import("../mesh/agent-access.ts"),
        import("../mesh/wait-for.ts"),
      ]);
      const outcomes = await withAgent(context, options, (agent) =>
        waitFor(agent, things, { goal: options.for, timeoutMs: options.timeout }),
      );
      for (const { thing, isMet, words } of outcomes)
        context.out.line(
          isMet ? `${thing}: ${words}` : `${context.out.style("red", "!")} ${thing}: ${words}`,
        );
      context.setExitCode(outcomes.every(({ isMet }) => isMet) ? 0 : 1);
    });
}

const GOAL = /^condition=(Ready|Programmed|Reachable|Healing)(?:=(True|False|Unknown))?$/i;

function parseGoal(text: string): Goal {
  if (text === "delete") return { type: "delete" };
  const [, condition, status = "True"] = GOAL.exec(text) ?? [];
  if (condition === undefined)
    throw new InvalidArgumentError(
      "It is condition=Ready, condition=Ready=False, or delete. Other conditions are Programmed, Reachable and Healing.",
    );
  return { type: "condition", condition, status };
}
