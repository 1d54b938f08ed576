/** The commands as data for completion: made from the commander tree, so that it matches the program. */
import type { Argument, Command, Option } from "commander";

/** The possible values of an argument or option. */
export type Values =
  | { readonly kind: "nothing" }
  | { readonly kind: "files" }
  | { readonly kind: "words"; readonly words: readonly string[] }
  /** Names that are queried on demand: `netloom completion --names wires`. */
  | { readonly kind: "names"; readonly of: Names };

export const NAMES = [
  "attachments",
  "hosts",
  "kinds",
  "labs",
  "services",
  "topics",
  "wires",
  "workloads",
] as const;
export type Names = (typeof NAMES)[number];

export interface CompletionOption {
  /** `-o`, `--output` */
  readonly flags: readonly string[];
  readonly about: string;
  /** Absent for a switch. */
  readonly values?: Values;
}

export interface CompletionCommand {
  /** `lab up`; empty for `netloom` itself. */
  readonly path: string;
  readonly commands: readonly { readonly name: string; readonly about: string }[];
  readonly options: readonly CompletionOption[];
  readonly arguments: readonly { readonly values: Values; readonly isRepeated: boolean }[];
}

/** Every command of the program, parents before children. */
export function completionTree(program: Command): CompletionCommand[] {
  return nodesOf(program, "");
}

function nodesOf(command: Command, path: string): CompletionCommand[] {
  const children = command.commands;
  const help = command.createHelp();
  return [
    {
      path,
      commands: children.map((child) => ({ name: child.name(), about: child.summary() })),
      options: help.visibleOptions(command).map(optionOf),
      arguments: command.registeredArguments.map((argument) => ({
        values: valuesOfArgument(argument),
        isRepeated: argument.variadic,
      })),
    },
    ...children.flatMap((child) => nodesOf(child, path === "" ? child.name() : `${path} ${child.name()}`)),
  ];
}

function optionOf(option: Option): CompletionOption {
  const flags = [option.short, option.long].filter((flag) => flag !== undefined && flag !== null);
  const about = option.description;
  if (!option.required && !option.optional) return { flags, about };
  const name = /[<[]([^>\].]+)/.exec(option.flags)?.[1] ?? "";
  return { flags, about, values: valuesOf(name, option.argChoices) };
}

function valuesOfArgument(argument: Argument): Values {
  return valuesOf(argument.name(), argument.argChoices);
}

/** The names that a placeholder in the help stands for. */
const namesOf: Readonly<Record<string, Names>> = {
  attachment: "attachments",
  client: "attachments",
  host: "hosts",
  kind: "kinds",
  lab: "labs",
  service: "services",
  topic: "topics",
  wire: "wires",
  workload: "workloads",
};

function valuesOf(name: string, choices: readonly string[] | undefined): Values {
  if (choices !== undefined) return { kind: "words", words: choices };
  if (name === "file" || name === "files") return { kind: "files" };
  const of = namesOf[name];
  return of === undefined ? { kind: "nothing" } : { kind: "names", of };
}
