import type { Command } from "commander";
import type { Ref } from "../../api/gen/netloom/admin/v1/admin_pb.js";
import { describe, outputOption, type CommandContext } from "../command.ts";
import type { AgentClient } from "../mesh/agent-access.ts";
import { addAgentOptions, type AgentChoice } from "../mesh/agent-options.ts";
import type { Format } from "../output.ts";
import { repeatable } from "../repeatable.ts";

/** A wire is closed at both ends and on every host between them. */
const closeMs = 60_000;

interface Options extends AgentChoice {
  readonly file?: readonly string[];
  readonly output: Format;
}

export function deleteCommand(context: CommandContext): Command {
  return addAgentOptions(
    describe({
      name: "delete",
      description:
        "Deletes attachments by name or by file, and returns when their wires are removed. An attachment of a file that " +
        "does not exist is no error. wire/ and an id closes a wire without an attachment, such as an unclaimed wire, at " +
        "both ends.",
      examples: [
        {
          command: "netloom delete web-db",
          about: "by name; NetworkServiceClient/web-db if the name is ambiguous",
        },
        {
          command: "netloom delete wire/8e1f…",
          about: "an unclaimed wire, or a wire of another program's client",
        },
        { command: "netloom delete -f shop.yaml", about: "all attachments of the file" },
        {
          command: "netloom delete web-db -o json",
          about: '{"deleted": [{"kind", "name"}], "absent": [{"kind", "name"}]}',
        },
      ],
    }),
  )
    .argument("[attachment...]", "names")
    .addOption(repeatable("-f, --file <file>", "YAML documents; - is the standard input"))
    .addOption(outputOption())
    .action(async (names: readonly string[], options: Options, command: Command) => {
      if (names.length === 0 && options.file === undefined)
        command.error("error: missing required argument 'attachment', or --file");
      const [{ withAgent }, { create }, { Agent, DeleteRequestSchema }] = await Promise.all([
        import("../mesh/agent-access.ts"),
        import("@bufbuild/protobuf"),
        import("../../api/gen/netloom/admin/v1/admin_pb.js"),
      ]);
      const filed = options.file === undefined ? [] : await refsOfFiles(options.file);
      const answer = await withAgent(context, options, async (agent) => {
        const refs = [...filed, ...(await refsOfNames(agent, names))];
        return await agent.call(Agent.method.delete, create(DeleteRequestSchema, { refs }), closeMs);
      });
      const [deleted, absent] = [answer.deleted, answer.absent].map((refs) =>
        refs.map(({ kind, name }) => ({ kind, name })),
      );
      if (options.output === "json") return context.out.json({ deleted, absent });
      for (const { kind, name } of deleted ?? []) context.out.line(`- ${kind} ${name}`);
      for (const { kind, name } of absent ?? []) context.out.line(`= ${kind} ${name} did not exist`);
    });
}

async function refsOfNames(agent: AgentClient, names: readonly string[]): Promise<Ref[]> {
  const [{ findRef }, { create }, { RefSchema }] = await Promise.all([
    import("../mesh/attachment-names.ts"),
    import("@bufbuild/protobuf"),
    import("../../api/gen/netloom/admin/v1/admin_pb.js"),
  ]);
  return await Promise.all(
    names.map(async (name) => {
      const wire = /^wires?\/(.+)$/i.exec(name)?.[1];
      return wire === undefined
        ? await findRef(agent, name)
        : create(RefSchema, { kind: "Wire", name: wire });
    }),
  );
}

/** Reads only kind and name: a file that has become invalid can still be deleted. */
async function refsOfFiles(files: readonly string[]): Promise<Ref[]> {
  const [{ readDocumentFiles }, { refsOf }] = await Promise.all([
    import("../mesh/document-files.ts"),
    import("../mesh/document-refs.ts"),
  ]);
  return (await readDocumentFiles(files)).flatMap(refsOf);
}
