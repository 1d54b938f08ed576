import type { KindCommand } from "../documents/command.ts";
import type { KindWords } from "../documents/kind.ts";
import { KINDS } from "../documents/kinds.ts";
import type { Entry } from "./command.ts";

/** The table of contents: what `netloom --help` lists, in this order. */
export const commands: readonly Entry[] = [
  {
    name: "demo",
    summary: "build two hosts with agents and wires, send packets, and remove everything",
    load: async () => (await import("./commands/demo.ts")).demoCommand,
  },
  {
    name: "apply",
    summary: "apply the documents of a file on this host",
    load: async () => (await import("./commands/apply.ts")).applyCommand,
  },
  {
    name: "diff",
    summary: "show what apply would change",
    load: async () => (await import("./commands/diff.ts")).diffCommand,
  },
  {
    name: "get",
    summary: "list attachments, or what the mesh offers",
    load: async () => (await import("./commands/get.ts")).getCommand,
  },
  {
    name: "describe",
    summary: "show everything about an attachment or a wire",
    load: async () => (await import("./commands/describe.ts")).describeCommand,
  },
  {
    name: "delete",
    summary: "delete attachments and their wires",
    load: async () => (await import("./commands/delete.ts")).deleteCommand,
  },
  {
    name: "migrate",
    summary: "convert files of release 0.1.0",
    load: async () => (await import("./commands/migrate.ts")).migrateCommand,
  },
  {
    name: "schema",
    summary: "print the JSON Schema of documents, for editors",
    load: async () => (await import("./commands/schema.ts")).schemaCommand,
  },
  // The commands that write one document: netloom connect, netloom expose.
  ...KINDS.flatMap((kind) => (kind.command ? [kindEntry(kind, kind.command)] : [])),
  {
    name: "wait",
    summary: "wait for a condition of documents, wires or services",
    load: async () => (await import("./commands/wait.ts")).waitCommand,
  },
  {
    name: "events",
    summary: "list the events of documents in the last hour",
    load: async () => (await import("./commands/events.ts")).eventsCommand,
  },
  {
    name: "status",
    summary: "show what is up and what is not, on one screen",
    load: async () => (await import("./commands/status.ts")).statusCommand,
  },
  {
    name: "ping",
    summary: "send packets through a wire, and show their path",
    load: async () => (await import("./commands/ping.ts")).pingCommand,
  },
  {
    name: "capture",
    summary: "write the frames of a wire as a file for Wireshark and tcpdump",
    load: async () => (await import("./commands/capture.ts")).captureCommand,
  },
  {
    name: "why",
    summary: "show why a client gets, or would get, an endpoint",
    load: async () => (await import("./commands/why.ts")).whyCommand,
  },
  {
    name: "graph",
    summary: "draw the mesh as text, Mermaid, DOT or JSON",
    load: async () => (await import("./commands/graph.ts")).graphCommand,
  },
  {
    name: "agent",
    summary: "run the agent of this host, in the foreground",
    load: async () => (await import("./commands/agent.ts")).agentCommand,
  },
  {
    name: "registry",
    summary: "run the registry of a mesh, in the foreground",
    load: async () => (await import("./commands/registry.ts")).registryCommand,
  },
  {
    name: "lab",
    summary: "build hosts, links, workloads and wires from one YAML file",
    load: async () => (await import("./lab/lab.ts")).labCommand,
  },
  {
    name: "doctor",
    summary: "check this machine, and show how to fix each problem",
    load: async () => (await import("./commands/doctor.ts")).doctorCommand,
  },
  {
    name: "downgrade",
    summary: "convert the wires of this host for release 0.1.0",
    load: async () => (await import("./commands/downgrade.ts")).downgradeCommand,
  },
  {
    name: "script",
    summary: "print a lab or one of its wires as ip and tc commands",
    load: async () => (await import("./commands/script.ts")).scriptCommand,
  },
  {
    name: "explain",
    summary: "explain an error: its meaning, causes and remedies",
    load: async () => (await import("./commands/explain.ts")).explainCommand,
  },
  {
    name: "completion",
    summary: "print the script that completes command lines in bash, zsh or fish",
    load: async () => (await import("./commands/completion.ts")).completionCommand,
  },
  {
    name: "version",
    summary: "print the version of netloom, Node and the kernel",
    load: async () => (await import("./commands/version.ts")).versionCommand,
  },
];

function kindEntry(kind: KindWords, command: KindCommand): Entry {
  return {
    name: command.name,
    summary: command.summary,
    load: async () => {
      const { kindCommand } = await import("./kind-command.ts");
      return (context) => kindCommand(context, kind, command);
    },
  };
}
