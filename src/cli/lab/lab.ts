import type { Command } from "commander";
import { addCommands, describe, type CommandLine, type CommandContext, type Entry } from "../command.ts";

const commands: readonly Entry[] = [
  {
    name: "up",
    summary: "make a lab as its file says, whatever is there now",
    load: async () => (await import("./up.ts")).upCommand,
  },
  {
    name: "down",
    summary: "remove a lab, also what a killed run left of it",
    load: async () => (await import("./down.ts")).downCommand,
  },
  {
    name: "status",
    summary: "show the wires of a lab, or which labs there are",
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
        about: "make it; again after a change of the file",
      },
      { command: "sudo netloom lab down two", about: "and nothing of it is left" },
    ],
  });
  await addCommands(lab, commands, context, commandLine);
  return lab;
}
