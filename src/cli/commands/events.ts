import type { Command } from "commander";
import type { EventView } from "../../view/event-view.ts";
import { describe, outputOption, type CommandContext } from "../command.ts";
import { addAgentOptions, type AgentChoice } from "../mesh/agent-options.ts";
import { type Format, type Output, table } from "../output.ts";

interface Options extends AgentChoice {
  readonly output: Format;
}

export function eventsCommand(context: CommandContext): Command {
  return addAgentOptions(
    describe({
      name: "events",
      description:
        "Lists the events of a host's documents in the last hour, the newest last: added, changed, up, healing, " +
        "failed with the reason, deleted. A repeated event is counted. The events are lost when the agent restarts.",
      examples: [
        { command: "netloom events", about: "of every document of this host" },
        { command: "netloom events client/web-db", about: "of one document" },
        {
          command: "netloom events -o json",
          about: '{"events": [{"kind", "name", "type", "reason", "message", "first", "last", "count"}]}',
        },
      ],
    }),
  )
    .argument("[document]", "a name, or kind/name")
    .addOption(outputOption())
    .action(async (document: string | undefined, options: Options) => {
      const [{ withAgent }, { parseName }, { create }, { Agent, EventsRequestSchema }] = await Promise.all([
        import("../mesh/agent-access.ts"),
        import("../mesh/attachment-names.ts"),
        import("@bufbuild/protobuf"),
        import("../../api/gen/netloom/admin/v1/admin_pb.js"),
      ]);
      const wanted = document === undefined ? {} : parseName(document);
      const { events } = await withAgent(context, options, (agent) =>
        agent.call(Agent.method.events, create(EventsRequestSchema, wanted)),
      );
      const { eventView } = await import("../../view/event-view.ts");
      const views = events.map(eventView);
      if (options.output === "json") return context.out.json({ events: views });
      const { formatShortAge } = await import("../mesh/ages.ts");
      printEvents(context.out, views, (time) => formatShortAge(time, Date.now()));
    });
}

function printEvents(out: Output, events: readonly EventView[], age: (time: string) => string): void {
  if (events.length === 0) return out.line("no events in the last hour");
  const rows = events.map(({ kind, name, type, reason, message = "", last, count }) => [
    age(last),
    type,
    reason,
    `${kind}/${name}`,
    count > 1 ? `${message} (${count} times)`.trim() : message,
  ]);
  for (const line of table([["LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"], ...rows])) out.line(line);
}
