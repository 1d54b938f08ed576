import type { Command } from "commander";
import type { HostStatus } from "../../api/gen/netloom/admin/v1/admin_pb.js";
import { describe, outputOption, type CommandContext } from "../command.ts";
import type { AgentClient } from "../mesh/agent-access.ts";
import { addAgentOptions, type AgentChoice } from "../mesh/agent-options.ts";
import type { MeshDescription } from "../mesh/description.ts";
import type { Format } from "../output.ts";

interface Options extends AgentChoice {
  readonly output: Format;
}

export function describeCommand(context: CommandContext): Command {
  return addAgentOptions(
    describe({
      name: "describe",
      description:
        "Shows everything about an attachment or a wire of the agent's host: state and reason, the document, both ends, " +
        "counters, routes, and the stations of the request's path.",
      examples: [
        { command: "netloom describe web-db", about: "an attachment, with its wires" },
        { command: "netloom describe alpha/web/nsm-1", about: "a wire; also by its id" },
        {
          command: "netloom describe web-db -o json",
          about:
            '{"attachments": [{"kind", "name", "state", "document", …}], "wires": [{"wire", "path", "stations", …}]}',
        },
      ],
    }),
  )
    .argument("<attachment>", "the name of an attachment, or of a wire")
    .addOption(outputOption())
    .action(async (name: string, options: Options) => {
      const { withAgent } = await import("../mesh/agent-access.ts");
      const found = await withAgent(context, options, (agent) => find(agent, name));
      if (options.output === "json") {
        const { parse } = await import("yaml");
        const attachments = found.attachments.map((each) => ({
          ...each,
          document: parse(each.document) as unknown,
        }));
        return context.out.json({ attachments, wires: found.wires });
      }
      const [{ descriptionScreen }, { printLines }] = await Promise.all([
        import("../mesh/description.ts"),
        import("../mesh/live-screen.ts"),
      ]);
      printLines(context.out, descriptionScreen(found, Date.now()));
    });
}

async function find(agent: AgentClient, name: string): Promise<MeshDescription> {
  const [{ getAttachments, noSuchAttachment, parseName }, { askStatus }, description] = await Promise.all([
    import("../mesh/attachment-names.ts"),
    import("../mesh/ask-status.ts"),
    import("../mesh/description.ts"),
  ]);
  const [attachments, [status]] = await Promise.all([
    getAttachments(agent, parseName(name)),
    askStatus([agent], { counters: true }),
  ]);
  const found = description.describeFound(status as HostStatus, attachments, name);
  if (found.attachments.length + found.wires.length === 0) throw await noSuchAttachment(agent, name);
  return found;
}
