import type { WhyDocument } from "../mesh/why-document.ts";
import type { Command } from "commander";
import { KINDS } from "../../documents/kinds.ts";
import { listed } from "../../text/problem.ts";
import { describe, outputOption, type CommandContext } from "../command.ts";
import { addAgentOptions, type AgentChoice } from "../mesh/agent-options.ts";
import type { Format, Output } from "../output.ts";
import { repeatable } from "../repeatable.ts";

/** Kinds that request a wire. */
const asking: readonly string[] = KINDS.flatMap(({ kind, end }) => (end === "client" ? [kind] : []));

interface Options extends AgentChoice {
  readonly label?: readonly string[];
  readonly output: Format;
}

export function whyCommand(context: CommandContext): Command {
  return addAgentOptions(
    describe({
      name: "why",
      description:
        "Shows why a client gets, or would get, an endpoint of a service: how the service's matches judge each endpoint, " +
        "the order in which the candidates would be tried now, and the result of the last request for the client's wire. " +
        "Changes nothing. Exit code: 1 if no endpoint is for that client now.",
      examples: [
        { command: "netloom why web-db db", about: "for a client of this host" },
        { command: "netloom why alpha/web db", about: "for a workload, with the labels of its client" },
        { command: "netloom why - db --label app=web", about: "for a client with these labels" },
        {
          command: "netloom why web-db db -o json",
          about:
            '{"service", "payload", "labels", "judgements": [{"match", "route", "endpoint", "taken", "reason"}], ' +
            '"candidates": [{"endpoint", "host", "url", "weight", "labels"}], "problem", "cause", "last": {"at", "wireId", "taken", ' +
            '"failed": [{"endpoint", "reason", "code", "cause"}], "judgements"}, "path", "hops"}',
        },
      ],
    }),
  )
    .argument("<client>", `the name of a ${listed(asking)}, host/workload, or - for labels only`)
    .argument("<service>", "name of the service")
    .addOption(
      repeatable(
        "-l, --label <key=value>",
        "labels of the client; they add to its own labels or replace them",
      ),
    )
    .addOption(outputOption())
    .action(async (client: string, service: string, options: Options) => {
      const [{ withAgent }, { create }, { Agent, WhyRequestSchema }, { readLabels }] = await Promise.all([
        import("../mesh/agent-access.ts"),
        import("@bufbuild/protobuf"),
        import("../../api/gen/netloom/admin/v1/admin_pb.js"),
        import("../mesh/workload.ts"),
      ]);
      const request = create(WhyRequestSchema, {
        service,
        client: client === "-" ? "" : client,
        labels: readLabels(options.label) ?? {},
      });
      const answer = await withAgent(context, options, (agent) => agent.call(Agent.method.why, request));
      const { whyDocument } = await import("../mesh/why-document.ts");
      const document = whyDocument(answer);
      if (options.output === "json") context.out.json(document);
      else await printWhy(context.out, client, document);
      context.setExitCode(document.candidates.length > 0 ? 0 : 1);
    });
}

async function printWhy(out: Output, client: string, document: WhyDocument): Promise<void> {
  const { whyScreen } = await import("../mesh/why-screen.ts");
  const { printLines } = await import("../mesh/live-screen.ts");
  printLines(out, whyScreen(client, document, Date.now()));
}
