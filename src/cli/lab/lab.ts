import type { Command } from "commander";
import { addCommands, describe, type CommandLine, type CommandContext, type Entry } from "../command.ts";

const commands: readonly Entry[] = [
  {
    name: "up",
    summary: "make a lab, or change it to match its file",
    load: async () => (await import("./up.ts")).upCommand,
  },
  {
    name: "down",
    summary: "remove a lab, and the leftovers of a killed run",
    load: async () => (await import("./down.ts")).downCommand,
  },
  {
    name: "status",
    summary: "show the wires of a lab, or list the labs",
    load: async () => (await import("./status.ts")).statusCommand,
  },
  {
    name: "exec",
    summary: "run a program in a host or workload of a lab",
    load: async () => (await import("./exec.ts")).execCommand,
  },
  {
    name: "graph",
    summary: "draw a lab as text, Mermaid, DOT or JSON",
    load: async () => (await import("./graph.ts")).graphCommand,
  },
  {
    name: "validate",
    summary: "check a lab file without touching the machine",
    load: async () => (await import("./validate.ts")).validateCommand,
  },
];

export async function labCommand(context: CommandContext, commandLine: CommandLine): Promise<Command> {
  const lab = describe({
    name: "lab",
    description:
      "A lab is a small network on this machine, made from one YAML file: hosts, routers and workloads are " +
      "network namespaces, cables are veth pairs, and the wires are made just as on real hosts.",
    examples: [
      { command: "netloom lab validate examples/first.yaml", about: "every mistake, with its line" },
      {
        command: "sudo netloom lab up examples/first.yaml",
        about: "make it, or update it after a change of the file",
      },
      { command: "sudo netloom lab down two", about: "remove all of it" },
    ],
  });
  await addCommands(lab, commands, context, commandLine);
  return lab;
}
