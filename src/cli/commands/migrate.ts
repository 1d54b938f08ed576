import type { Command } from "commander";
import { describe, option, type CommandContext } from "../command.ts";
import { count, type Output } from "../output.ts";
import type { MigratedFile } from "../../documents/migrate.ts";
import type { Problem } from "../../text/problem.ts";

interface Options {
  readonly dryRun?: boolean;
}

export function migrateCommand(context: CommandContext): Command {
  return describe({
    name: "migrate",
    description:
      "Converts documents and labs of release 0.1.0 in place. Comments stay. A file that needs no change is not touched. A file " +
      "with mistakes is not changed, and each mistake is reported. Exit code: 1 if a file could not be converted.",
    examples: [
      { command: "netloom migrate shop.yaml labs/*.yaml", about: "converts the files" },
      { command: "netloom migrate --dry-run shop.yaml", about: "prints the new text, and changes nothing" },
      { command: "netloom migrate - < shop.yaml", about: "converts the standard input, and prints it" },
    ],
  })
    .addOption(option("--dry-run", "print the new text, and write nothing"))
    .argument("<file...>", "YAML files; - is the standard input")
    .action(async (files: readonly string[], { dryRun = false }: Options) => {
      const [{ migrateText }, { readDocumentFiles }, { replaceFile }, { FileError }] = await Promise.all([
        import("../../documents/migrate.ts"),
        import("../mesh/document-files.ts"),
        import("../replace-file.ts"),
        import("../../text/problem.ts"),
      ]);
      const problems: Problem[] = [];
      for (const [i, { name, text }] of (await readDocumentFiles(files)).entries()) {
        const file = files[i] ?? name;
        const result = migrateText(text, name);
        if (!result.ok) problems.push(...result.problems);
        else if (dryRun || file === "-") await printText(context, result);
        else {
          if (result.converted > 0) await replaceFile(file, result.text);
          printOutcome(context.out, file, result);
        }
      }
      if (problems.length > 0)
        throw new FileError(problems, "correct these mistakes; a file with a mistake was not changed");
    });
}

/** Prints the text: byte for byte unless the output is a terminal. Notes go to stderr. */
async function printText({ out, err }: CommandContext, { text, notes }: MigratedFile): Promise<void> {
  if (out.terminal) out.write(text);
  else await out.bytes(Buffer.from(text));
  for (const note of notes) err.line(`note: ${note}`);
}

function printOutcome(out: Output, file: string, { converted, notes }: MigratedFile): void {
  out.line(
    converted === 0 ? `= ${file} needs no change` : `~ ${file}: converted ${count(converted, "document")}`,
  );
  for (const note of notes) out.line(`  note: ${note}`);
}
