import type { Command } from "commander";
import type { Applied } from "../../api/gen/netloom/admin/v1/admin_pb.js";
import { describe, outputOption, type CommandContext } from "../command.ts";
import type { AgentClient } from "../mesh/agent-access.ts";
import { addAgentOptions, type AgentChoice } from "../mesh/agent-options.ts";
import type { DocumentFile } from "../mesh/document-files.ts";
import type { Format, Output } from "../output.ts";
import { repeatable } from "../repeatable.ts";

interface Options extends AgentChoice {
  readonly file: readonly string[];
  readonly output: Format;
}

interface Difference {
  readonly kind: string;
  readonly name: string;
  readonly change: "added" | "changed" | "unchanged";
  readonly differences: readonly string[];
  /** Canonical documents. */
  readonly before: string;
  readonly after: string;
}

export function diffCommand(context: CommandContext): Command {
  return addAgentOptions(
    describe({
      name: "diff",
      description:
        "Shows what apply would change, and changes nothing. Reports every mistake of the file with its place. Exit " +
        "code, as of diff(1): 0 nothing would change, 1 something would, or the file is wrong.",
      examples: [
        { command: "netloom diff -f shop.yaml", about: "the lines that differ" },
        {
          command: "netloom diff -f shop.yaml -o json",
          about:
            '{"changes": [{"kind", "name", "change": "added|changed|unchanged", "differences", "before", "after"}]}',
        },
      ],
    }),
  )
    .addOption(
      repeatable("-f, --file <file>", "YAML documents; - is the standard input").makeOptionMandatory(),
    )
    .addOption(outputOption())
    .action(async (options: Options) => {
      const [{ readDocumentFiles }, { withAgent }] = await Promise.all([
        import("../mesh/document-files.ts"),
        import("../mesh/agent-access.ts"),
      ]);
      const files = await readDocumentFiles(options.file);
      const changes = await withAgent(context, options, (agent) => compare(agent, files));
      if (options.output === "json") context.out.json({ changes });
      else await printChanges(context.out, changes);
      context.setExitCode(changes.every(({ change }) => change === "unchanged") ? 0 : 1);
    });
}

async function compare(agent: AgentClient, files: readonly DocumentFile[]): Promise<Difference[]> {
  const [{ create }, { Agent, ApplyRequestSchema }, { FileError }, { changeNames }] = await Promise.all([
    import("@bufbuild/protobuf"),
    import("../../api/gen/netloom/admin/v1/admin_pb.js"),
    import("../../text/problem.ts"),
    import("../mesh/apply-documents.ts"),
  ]);
  const answers = await Promise.all(
    files.map(({ name: fileName, text: documents }) =>
      agent.call(Agent.method.apply, create(ApplyRequestSchema, { documents, fileName, dryRun: true })),
    ),
  );
  const problems = answers.flatMap((answer) => answer.problems);
  if (problems.length > 0) throw new FileError(problems, "correct the file; nothing was changed");
  return answers
    .flatMap(({ applied }) => applied)
    .map(({ ref, change, differences, before, after }: Applied) => ({
      kind: ref?.kind ?? "",
      name: ref?.name ?? "",
      change: changeNames[change],
      differences: [...differences],
      before,
      after,
    }));
}

async function printChanges(out: Output, changes: readonly Difference[]): Promise<void> {
  const { diffLines } = await import("../mesh/line-diff.ts");
  const marks = { added: "+", changed: "~", unchanged: "=" } as const;
  for (const { kind, name, change, differences, before, after } of changes) {
    const paths = differences.length === 0 ? "" : `: ${differences.join(", ")}`;
    out.line(out.style("bold", `${marks[change]} ${kind} ${name}${paths}`));
    if (change === "unchanged") continue;
    for (const { mark, text } of diffLines(linesOf(before), linesOf(after))) {
      const line = `    ${mark} ${text}`;
      out.line(mark === " " ? line : out.style(mark === "-" ? "red" : "green", line));
    }
  }
  if (changes.every(({ change }) => change === "unchanged")) out.line("apply would change nothing");
}

function linesOf(document: string): string[] {
  return document === "" ? [] : document.trimEnd().split("\n");
}
