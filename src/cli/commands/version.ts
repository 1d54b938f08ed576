import { readFileSync } from "node:fs";
import { arch, release } from "node:os";
import type { Command } from "commander";
import { describe, outputOption, type CommandContext } from "../command.ts";
import type { Format } from "../output.ts";

/** The shape of `netloom version -o json`. */
export interface VersionDocument {
  readonly version: string;
  readonly node: string;
  readonly kernel: string;
  readonly architecture: string;
}

export function versionCommand(context: CommandContext): Command {
  return describe({
    name: "version",
    description:
      "Prints the version of netloom, Node and the kernel, and the architecture. Needs no privilege.",
    examples: [
      { command: "netloom version", about: "one line" },
      { command: "netloom version -o json", about: '{"version", "node", "kernel", "architecture"}' },
    ],
  })
    .addOption(outputOption())
    .action((options: { output: Format }) => {
      const document = versions();
      if (options.output === "json") return context.out.json(document);
      const { version, node, kernel, architecture } = document;
      context.out.line(`netloom ${version} (node ${node}, linux ${kernel}, ${architecture})`);
    });
}

export function versions(): VersionDocument {
  const manifest: { version: string } = JSON.parse(
    readFileSync(new URL("../../../package.json", import.meta.url), "utf8"),
  );
  return {
    version: manifest.version,
    node: process.versions.node,
    kernel: release(),
    architecture: arch(),
  };
}
