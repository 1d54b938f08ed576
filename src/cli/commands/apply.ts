import type { Command } from "commander";
import { KINDS } from "../../documents/kinds.ts";
import { describe, option, outputOption, type CommandContext } from "../command.ts";
import { addAgentOptions, type AgentChoice } from "../mesh/agent-options.ts";
import type { Format } from "../output.ts";
import { repeatable } from "../repeatable.ts";
import { parseWait } from "../wait.ts";

interface Options extends AgentChoice {
  readonly file: readonly string[];
  readonly wait: number;
  readonly output: Format;
}

export function applyCommand(context: CommandContext): Command {
  return addAgentOptions(
    describe({
      name: "apply",
      description:
        `Applies the documents of a file (${KINDS.map(({ inFile }) => inFile).join(", ")}) on the agent's host: adds new attachments, changes known ones, and ` +
        "does not change others. The agent accepts a whole file or nothing of it, and keeps it over restarts. Exit code: 1 " +
        "if --wait ends before everything is up.",
      examples: [
        { command: "netloom apply -f shop.yaml", about: "returns when the documents are stored" },
        { command: "netloom apply -f shop.yaml --wait 10", about: "also waits until all of them are up" },
        {
          command: "netloom apply -f - -o json",
          about:
            '{"applied": [{"kind", "name", "change": "added|changed|unchanged", "differences"}], "attachments": [{"kind", "name", "state", "reason", …}]}',
        },
      ],
    }),
  )
    .addOption(
      repeatable("-f, --file <file>", "YAML documents; - is the standard input").makeOptionMandatory(),
    )
    .addOption(
      option("--wait <seconds>", "how long to wait until they are up").argParser(parseWait).default(0, "0"),
    )
    .addOption(outputOption())
    .action(async (options: Options) => {
      const [{ readDocumentFiles }, { withAgent }, { applyDocuments, printApplied, printFailures }] =
        await Promise.all([
          import("../mesh/document-files.ts"),
          import("../mesh/agent-access.ts"),
          import("../mesh/apply-documents.ts"),
        ]);
      const files = await readDocumentFiles(options.file);
      const report = await withAgent(context, options, (agent) =>
        applyDocuments(agent, files, { waitMs: options.wait }),
      );
      if (options.output === "json") {
        context.out.json(report);
      } else {
        printApplied(context.out, report);
        printFailures(context.out, report);
      }
      context.setExitCode(report.attachments.every(({ state }) => state === "up") ? 0 : 1);
    });
}
