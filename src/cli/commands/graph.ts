import type { Command } from "commander";
import { describe, option, type CommandContext } from "../command.ts";
import type { GraphFormat } from "../print-graph.ts";
import { addAgentOptions, type AgentChoice } from "../mesh/agent-options.ts";

interface Options extends AgentChoice {
  readonly output: GraphFormat;
}

export function graphCommand(context: CommandContext): Command {
  return addAgentOptions(
    describe({
      name: "graph",
      description:
        "Draws the mesh: hosts and endpoints as the registry shows them, and the wires of the agent's host; with --lab " +
        "alone, the wires of all hosts of the lab.",
      examples: [
        { command: "netloom graph", about: "for the terminal" },
        { command: "netloom graph --lab two -o mermaid > mesh.mmd", about: "for a page" },
        { command: "netloom graph -o dot | dot -Tsvg > mesh.svg", about: "for Graphviz" },
        {
          command: "netloom graph -o json",
          about:
            '{"name", "services": [{"name", "payload"}], "nodes": [{"id", "kind": "host|workload|endpoint", "host", "label"}], "links", ' +
            '"wires": [{"source", "target", "client", "endpoint", "id", "service", "path", "hops", "state", "addresses"}]}',
        },
      ],
    }),
  )
    .addOption(
      option("-o, --output <format>", "output format")
        .choices(["text", "mermaid", "dot", "json"])
        .default("text"),
    )
    .action(async (options: Options) => {
      const [
        { allTargets, withAgents },
        { create },
        { Agent, GraphRequestSchema },
        { registryView },
        { meshGraph },
        { printGraph },
      ] = await Promise.all([
        import("../mesh/agent-access.ts"),
        import("@bufbuild/protobuf"),
        import("../../api/gen/netloom/admin/v1/admin_pb.js"),
        import("../../view/mesh-view.ts"),
        import("../../view/mesh-graph.ts"),
        import("../print-graph.ts"),
      ]);
      const pictures = await withAgents(context, allTargets(options), (agents) =>
        Promise.all(agents.map((agent) => agent.call(Agent.method.graph, create(GraphRequestSchema)))),
      );
      printGraph(context.out, meshGraph(registryView(pictures)), options.output);
    });
}
