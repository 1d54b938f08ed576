/**
 * The arrows between rooms, listed for each room (ARCHITECTURE.md explains them). Nothing is inherited, and an arrow that no
 * file uses fails, so that the table shows the house as it is. `main` is the file src/main.ts. Test files may import
 * anything.
 */
import { relative } from "node:path/posix";

/** The rooms that each room may import, apart from itself; rooms without imports come first. Every room has to be listed. */
export const ARROWS: ReadonlyMap<string, readonly string[]> = new Map([
  ["errors", []],
  ["async", ["errors"]],
  ["observe", ["async"]],
  ["net", []],
  ["kernel", ["async", "errors", "net"]],
  ["world", ["async", "kernel", "observe"]],
  ["api", ["async", "errors", "observe", "world"]],
  ["chain", ["async", "errors", "observe", "world"]],
  ["doctor", []],
  ["policy", ["api", "errors", "world"]],
  ["identity", ["errors", "policy", "world"]],
  ["ipam", ["errors", "net"]],
  ["registry", ["api", "async", "chain", "errors", "identity", "net", "observe", "policy", "world"]],
  ["text", ["errors", "net"]],
  ["capture", ["net", "text"]],
  ["mechanisms", ["doctor", "errors", "kernel", "net", "text", "world"]],
  ["forwarder", ["async", "errors", "kernel", "mechanisms", "net", "observe"]],
  [
    "elements",
    [
      "api",
      "async",
      "chain",
      "errors",
      "forwarder",
      "identity",
      "ipam",
      "kernel",
      "mechanisms",
      "net",
      "observe",
      "policy",
      "registry",
      "world",
    ],
  ],
  ["view", ["api", "kernel", "mechanisms", "net", "text"]],
  ["resolvers", ["async", "errors", "kernel", "net", "text", "world"]],
  ["functions", ["api", "elements", "net", "text"]],
  ["exporters", ["errors", "observe"]],
  ["linux", ["async", "errors", "kernel", "net", "world"]],
  ["transport", ["api", "async", "errors", "net", "observe", "world"]],
  [
    "roles",
    [
      "api",
      "chain",
      "elements",
      "errors",
      "forwarder",
      "identity",
      "kernel",
      "net",
      "policy",
      "registry",
      "world",
    ],
  ],
  ["store", ["async", "errors", "world"]],
  ["sim", ["async", "errors", "kernel", "net", "observe", "world"]],
  [
    "attachments",
    [
      "api",
      "async",
      "elements",
      "errors",
      "forwarder",
      "kernel",
      "mechanisms",
      "resolvers",
      "roles",
      "text",
      "world",
    ],
  ],
  [
    "documents",
    [
      "api",
      "async",
      "attachments",
      "elements",
      "errors",
      "forwarder",
      "functions",
      "ipam",
      "mechanisms",
      "net",
      "registry",
      "resolvers",
      "roles",
      "text",
      "world",
    ],
  ],
  [
    "agent",
    [
      "api",
      "async",
      "attachments",
      "capture",
      "documents",
      "elements",
      "errors",
      "forwarder",
      "identity",
      "kernel",
      "mechanisms",
      "net",
      "observe",
      "policy",
      "registry",
      "resolvers",
      "roles",
      "text",
      "view",
      "world",
    ],
  ],
  [
    "lab",
    [
      "api",
      "attachments",
      "documents",
      "errors",
      "forwarder",
      "identity",
      "kernel",
      "linux",
      "mechanisms",
      "net",
      "resolvers",
      "store",
      "text",
      "transport",
      "view",
    ],
  ],
  [
    "cli",
    [
      "agent",
      "api",
      "async",
      "capture",
      "doctor",
      "documents",
      "errors",
      "exporters",
      "forwarder",
      "identity",
      "kernel",
      "lab",
      "linux",
      "mechanisms",
      "net",
      "observe",
      "registry",
      "resolvers",
      "roles",
      "store",
      "text",
      "transport",
      "view",
      "world",
    ],
  ],
  ["main", ["cli"]],
] as const);

/** A file, with the files that it imports when it is loaded. Lazy imports are left out: they may lead back. */
export type Imports = ReadonlyMap<string, readonly string[]>;

/** Sentences about files that import each other in a circle, each circle once. */
export function circles(imports: Imports): string[] {
  const state = new Map<string, "open" | "done">();
  const way: string[] = [];
  const found: string[] = [];
  const visit = (path: string): void => {
    if (state.get(path) === "done") return;
    if (state.get(path) === "open") {
      found.push(`files import each other: ${[...way.slice(way.indexOf(path)), path].join(" → ")}`);
      return;
    }
    state.set(path, "open");
    way.push(path);
    for (const next of imports.get(path) ?? []) visit(next);
    way.pop();
    state.set(path, "done");
  };
  for (const path of imports.keys()) visit(path);
  return found;
}

/** Sentences about arrows of the table that no file of the room uses. `imports` has paths below src. */
export function unusedArrows(imports: Imports): string[] {
  const used = new Set(
    [...imports].flatMap(([path, targets]) => targets.map((target) => `${roomOf(path)} ${roomOf(target)}`)),
  );
  return [...ARROWS].flatMap(([room, targets]) =>
    targets
      .filter((target) => !used.has(`${room} ${target}`))
      .map((target) => `${room} may import ${target}, and no file of it does`),
  );
}

/** The first folder below src; for a file outside of all folders its name. */
export function roomOf(path: string): string {
  return path.includes("/") ? (path.split("/")[0] ?? "") : path.replace(/(\.\w+)*\.ts$/, "");
}

/** The path below src of `name`, which the file at `path` imports; it begins with `..` outside of src. */
export function targetOf(path: string, name: string): string {
  return relative("/src", new URL(name, `file:///src/${path}`).pathname);
}
