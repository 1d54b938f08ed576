import type { Entry } from "./command.ts";

/** The table of contents: what `netloom --help` lists, in this order. */
export const commands: readonly Entry[] = [
  {
    name: "demo",
    summary: "two hosts, three workloads, two wires, real packets, and nothing left behind",
    load: async () => (await import("./demo.ts")).demoCommand,
  },
  {
    name: "lab",
    summary: "build hosts, links, workloads and wires from one YAML file",
    load: async () => (await import("./lab/lab.ts")).labCommand,
  },
  {
    name: "doctor",
    summary: "say what this machine can do, what is in the way, and how to clear it",
    load: async () => (await import("./doctor.ts")).doctorCommand,
  },
  {
    name: "script",
    summary: "print a lab or one of its wires as ip, bridge and tc commands",
    load: async () => (await import("./script.ts")).scriptCommand,
  },
  {
    name: "explain",
    summary: "tell what an error means, how it comes about and what to do",
    load: async () => (await import("./explain.ts")).explainCommand,
  },
  {
    name: "version",
    summary: "print the version of netloom, Node and the kernel",
    load: async () => (await import("./version.ts")).versionCommand,
  },
];
