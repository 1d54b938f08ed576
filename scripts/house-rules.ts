/**
 * The rules of the house that no compiler checks: imports between rooms (ARCHITECTURE.md), the limits of the deterministic
 * zone (rules R1-R3 of docs/internals/determinism.md), and the size and the names of files.
 */
import { readdirSync } from "node:fs";
import { KIND_NAMES, type ObjectKindName } from "../src/kernel/objects.ts";
import { ARROWS, roomOf, targetOf } from "./arrows.ts";
import { textDecisions, type TextFinding } from "./text-rules.ts";
import { type Token, tokenise } from "./tokens.ts";

/** Rooms outside of the deterministic zone (R1). */
const OUTSIDE: ReadonlySet<string> = new Set(["linux", "transport", "exporters", "lab", "cli", "main"]);

/** Files outside of the zone in a room inside of it: a store's file and thread, and the code that opens them. */
const EDGES: ReadonlySet<string> = new Set([
  "store/sqlite/file.ts",
  "store/sqlite/file-watch.ts",
  "store/sqlite/sqlite-kind.ts",
  "store/sqlite/thread.ts",
  "store/sqlite/transactions.ts",
  "store/sqlite/worker.ts",
]);

/** Names of mechanism types, by their folders. Other code asks `mechanisms/list.ts`, so that a new folder is enough. */
const MECHANISM_TYPES: ReadonlySet<string> = new Set(
  readdirSync(new URL("../src/mechanisms/", import.meta.url), { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? [entry.name.toUpperCase()] : [],
  ),
);

/** Rooms that work with kernel objects, whose names may be the same. */
const KNOWS_MECHANISMS: ReadonlySet<string> = new Set(["mechanisms", "kernel", "linux", "sim"]);

/** Packages that are pure computation. */
const ZONE_PACKAGES: ReadonlySet<string> = new Set([
  "@bufbuild/protobuf",
  "@bufbuild/protobuf/wkt",
  "@bufbuild/protobuf/codegenv2",
  "yaml",
  "zod",
]);

/** Globals that depend on time, chance or the environment (R2). */
const BANNED_NAMES: ReadonlySet<string> = new Set(
  [
    "Date performance setTimeout setInterval setImmediate clearTimeout clearInterval clearImmediate queueMicrotask",
    "process crypto WeakRef FinalizationRegistry Intl AbortController AbortSignal EventEmitter EventTarget",
    "ReadableStream WritableStream TransformStream fetch WebSocket MessageChannel BroadcastChannel Worker",
    "SharedArrayBuffer Atomics Buffer console globalThis global require navigator eval Function",
  ].flatMap((line) => line.split(" ")),
);

/** Banned properties, on whatever object. */
const BANNED_PROPERTIES: ReadonlySet<string> = new Set(
  "localeCompare toLocaleString toLocaleUpperCase toLocaleLowerCase toLocaleDateString toLocaleTimeString stack".split(
    " ",
  ),
);

/** Static methods that are banned, by their object. */
const BANNED_MEMBERS: ReadonlySet<string> = new Set(["Math.random", "Promise.race", "Promise.any"]);

/** Classes whose instances may be module constants. */
const IMMUTABLE_CLASSES: ReadonlySet<string> = new Set(["TextEncoder", "TextDecoder", "RegExp"]);

/**
 * Files that may ask for kernel objects of one kind, because they deal with that kind alone. All other files ask the table
 * (src/kernel/objects.ts) for the properties of any kind.
 */
const OF_ONE_KIND: ReadonlyMap<string, readonly ObjectKindName[]> = new Map([
  // Describes wires that nobody has asked for yet.
  ["agent/unclaimed.ts", ["address", "program"]],
  // Wires of an earlier version: a pair, and a tunnel's device beside it.
  ["forwarder/plan/former-devices.ts", ["veth", "program", "up"]],
  ["forwarder/plan/restore-devices.ts", ["veth", "program"]],
  // A policy route for the wire's own address takes none of the host's packets.
  ["agent/host-guard.ts", ["rule"]],
  // Reports a kernel without a queueing discipline, in the words of a lab's file.
  ["lab/shape-support.ts", ["qdisc"]],
  // A veth pair goes with the namespace of either end.
  ["linux/devices/veth-peer.ts", ["veth"]],
  // Input and output of the drivers.
  ["linux/netlink/link.ts", ["veth"]],
  ["linux/netlink/link-decode.ts", ["vxlan"]],
]);

/**
 * Files of the machine. Only `linux` opens them: code that needs a privilege uses the port `Privileged`
 * (src/kernel/privileged.ts). The doctor reads a tree of files that a test can plant (src/cli/doctor/host.ts); it needs no
 * privilege, and runs where there is none.
 */
const MACHINE_FILE = /(^|[^\w.])\/(proc|sys|run\/netns|dev(?!\/null))(\/|$)/;

/** The constant for the folder of named namespaces. */
const NAMESPACES = "NETNS_DIRECTORY";

/** Functions that enter a namespace. */
const ENTERING: ReadonlySet<string> = new Set(["setNetns", "becomeProgram", "runIn"]);

export const MAX_LINES = 500;

export interface SourceFile {
  /** Path below src: `sim/disk.ts`. */
  readonly path: string;
  readonly text: string;
}

/** Sentences, each with file and line, about violations of the house rules in this file. */
export function violations(file: SourceFile): string[] {
  const { path, text } = file;
  if (isForTests(path)) return testViolations(file);
  const room = roomOf(path);
  const found = shapeViolations(file);
  if (!ARROWS.has(room)) found.push(`${path}: there is no room ${room} in the table of arrows`);
  const tokens = tokenise(text);
  const inZone = !OUTSIDE.has(room) && !EDGES.has(path);
  for (const { line, why } of [
    ...kindSwitches(path, tokens),
    ...unprivileged(room, tokens, inZone),
    ...textDecisions(path, tokens),
  ])
    found.push(`${path}:${line}: ${why}`);
  for (const { name, line } of importsOf(tokens)) {
    const why = importViolation(path, name, inZone);
    if (why) found.push(`${path}:${line}: ${why}`);
  }
  if (!KNOWS_MECHANISMS.has(room)) {
    const named = tokens.filter(({ kind, text: word }) => kind === "string" && MECHANISM_TYPES.has(word));
    found.push(
      ...named.map(({ text: word, line }) => `${path}:${line}: it names ${word}: ask the list of mechanisms`),
    );
  }
  if (inZone) {
    const zone = [
      ...bannedNames(tokens),
      ...floatingPromises(tokens),
      ...swallowedErrors(tokens),
      ...mutableState(tokens),
    ];
    found.push(...zone.map(({ line, why }) => `${path}:${line}: ${why}`));
  }
  return found;
}

/** The only file for tests that may use a clock. */
const CLOCK_OF_TESTS = "fixtures/async/until.ts";

/** Names with which a test would read a clock or sleep: its result would differ on a busy machine. */
const CLOCKS: ReadonlyMap<string, string> = new Map([
  ["performance", "measures time, which is for bench"],
  ["cpuUsage", "measures time, which is for bench"],
  ["hrtime", "measures time, which is for bench"],
  ["setTimeout", `sleeps: until() of ${CLOCK_OF_TESTS} waits for what shall happen`],
]);

/** Like `violations`, for a test, or a file of `fixtures` or `e2e`, with its path below the project. */
export function testViolations({ path, text }: SourceFile): string[] {
  const found = shapeViolations({ path, text });
  if (path === CLOCK_OF_TESTS) return found;
  const tokens = tokenise(text);
  const clocks = tokens.flatMap(({ kind, text: name, line }, index) => {
    const isNow = name === "now" && tokens[index - 1]?.text === "." && tokens[index - 2]?.text === "Date";
    const why = isNow ? CLOCKS.get("performance") : CLOCKS.get(name);
    return kind === "name" && why !== undefined ? [`${path}:${line}: a test ${why}`] : [];
  });
  return [...found, ...clocks];
}

/**
 * Test files are beside the tested file, and may use anything. Code that several tests share is in `fixtures`, outside of
 * src.
 */
function isForTests(path: string): boolean {
  return path.endsWith(".test.ts");
}

/** Checks the length and the name of a file. */
function shapeViolations({ path, text }: SourceFile): string[] {
  const lines = text.split("\n").length - 1;
  const found = namingViolations(path);
  if (lines >= MAX_LINES) found.push(`${path}: ${lines} lines, and fewer than ${MAX_LINES} are allowed`);
  return found;
}

function namingViolations(path: string): string[] {
  const name = path.split("/").at(-1) ?? "";
  const stem = name.replace(/(\.\w+)*\.ts$/, "");
  if (/(^|-)(utils?|common|helpers?|impl|misc)$/.test(stem))
    return [`${path}: "${stem}" says nothing: name it after its main export`];
  return /^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z]+)*\.ts$/.test(name) ? [] : [`${path}: file names are kebab-case`];
}

interface Import {
  readonly name: string;
  readonly line: number;
  /** The module is loaded on demand. */
  readonly isLazy: boolean;
}

/** The files below src that this file imports, as paths below src; none for test files. */
export function filesImported({ path, text }: SourceFile, which: "all" | "at once"): string[] {
  if (isForTests(path)) return [];
  return importsOf(tokenise(text)).flatMap(({ name, isLazy }) =>
    name.startsWith(".") && !(isLazy && which === "at once") ? [targetOf(path, name)] : [],
  );
}

/** Names of exported types with the files that export them: two files mean that one name stands for two things. */
export function typesTwice(files: readonly SourceFile[]): string[] {
  const owners = new Map<string, string[]>();
  for (const { path, text } of files)
    for (const [, name = ""] of text.matchAll(/^export (?:abstract )?(?:interface|type|class) (\w+)/gm))
      owners.set(name, [...(owners.get(name) ?? []), path]);
  return [...owners].flatMap(([name, paths]) =>
    paths.length > 1 ? [`the type ${name} is one thing in ${paths.join(" and another in ")}`] : [],
  );
}

/** All imported modules: `import … from`, `export … from`, `import "x"`, `import("x")`. */
function importsOf(tokens: readonly Token[]): Import[] {
  return tokens.flatMap(({ kind, text, line }, index) => {
    const before = tokens[index - 1]?.text;
    const isDynamic = before === "(" && tokens[index - 2]?.text === "import";
    if (kind !== "string") return isDynamic ? [{ name: "a computed name", line, isLazy: true }] : [];
    const isImport = isDynamic || before === "from" || before === "import";
    return isImport ? [{ name: text, line, isLazy: isDynamic }] : [];
  });
}

function importViolation(path: string, name: string, inZone: boolean): string | undefined {
  if (!name.startsWith(".")) {
    return inZone && !ZONE_PACKAGES.has(name) ? `the zone imports "${name}"` : undefined;
  }
  const from = roomOf(path);
  const target = targetOf(path, name);
  if (target.startsWith("..")) return `it imports "${name}" from outside of src`;
  const to = roomOf(target);
  const isAllowed = from === to || ARROWS.get(from)?.includes(to);
  return isAllowed ? undefined : `${from} imports ${to}: that arrow points up`;
}

/**
 * Finds comparisons with the name of a kind of kernel object, except in rooms with a file for each kind and in mechanisms,
 * which make the objects.
 */
function kindSwitches(path: string, tokens: readonly Token[]): TextFinding[] {
  const isPastObjects = !importsOf(tokens).some(({ name }) => name.includes("kernel"));
  if (
    isPastObjects ||
    /^(kernel|linux|sim\/kernel)\/objects(\/[a-z-]+)?\.ts$|^mechanisms\/[a-z-]+\//.test(path)
  )
    return [];
  const names: ReadonlySet<string> = new Set(KIND_NAMES);
  const allowed: ReadonlySet<string> = new Set(OF_ONE_KIND.get(path) ?? []);
  let isOfKinds = false;
  return tokens.flatMap(({ kind, text, line }, index) => {
    const [before, earlier] = [tokens[index - 1]?.text ?? "", tokens[index - 2]?.text ?? ""];
    if (text === "{" && before === ")") isOfKinds = earlier === "kind";
    const isCompared = /^[!=]==$/.test(before) ? earlier === "kind" : before === "case" && isOfKinds;
    const isAskedFor = before === "," && tokens.slice(Math.max(0, index - 60), index).some(isOfKindCall);
    if (kind !== "string" || !names.has(text) || allowed.has(text) || !(isCompared || isAskedFor)) return [];
    return [{ line, why: `it knows of ${text} objects: ask the table of kinds` }];
  });
}

/** Finds actions reserved for `linux`: opening files of the machine, entering namespaces, calling the C library. */
function unprivileged(room: string, tokens: readonly Token[], inZone: boolean): TextFinding[] {
  if (room === "linux") return [];
  const imports = importsOf(tokens).map(({ name }) => name);
  const opensFiles = imports.some((name) => name.startsWith("node:fs"));
  return tokens.flatMap(({ kind, text, line }) => {
    const isText = kind === "string" || kind === "template";
    const isFile = isText ? MACHINE_FILE.test(text) : kind === "name" && text === NAMESPACES;
    if (opensFiles && isFile) return [{ line, why: "it opens files of the machine: linux does that" }];
    if (kind === "name" && ENTERING.has(text))
      return [{ line, why: `it uses ${text}: linux enters namespaces` }];
    return kind === "string" && text === "koffi" && !inZone
      ? [{ line, why: "it calls the C library: linux does that" }]
      : [];
  });
}

function isOfKindCall({ kind, text }: Token): boolean {
  return kind === "name" && text === "ofKind";
}

function bannedNames(tokens: readonly Token[]): TextFinding[] {
  return tokens.flatMap(({ kind, text, line }, index) => {
    if (kind !== "name" && !(kind === "string" && tokens[index - 1]?.text === "[")) return [];
    const before = tokens[index - 1]?.text;
    const isProperty = before === "." || before === "?." || kind === "string";
    if (isProperty) {
      const member = `${tokens[index - 2]?.text}.${text}`;
      const isBanned = BANNED_PROPERTIES.has(text) || BANNED_MEMBERS.has(member);
      return isBanned ? [{ line, why: `the zone uses ${BANNED_MEMBERS.has(member) ? member : text}` }] : [];
    }
    // A key of an object literal or a member of a type is not a global.
    const after = tokens[index + 1]?.text;
    const isKey =
      (before === "{" || before === "," || before === ";" || before === "readonly") && after === ":";
    return BANNED_NAMES.has(text) && !isKey ? [{ line, why: `the zone uses ${text}` }] : [];
  });
}

/** Finds promises that float behind `void` (R3); the linter finds all others. */
function floatingPromises(tokens: readonly Token[]): TextFinding[] {
  return tokens.flatMap(({ kind, text, line }, index) => {
    const before = tokens[index - 1]?.text ?? ";";
    const isStatement = kind === "name" && text === "void" && [";", "{", "}"].includes(before);
    return isStatement ? [{ line, why: "a promise floats behind void: scope.spawn" }] : [];
  });
}

/** Finds `if (!(error instanceof NetloomError)) throw error; }`: an operating error that is not reported. */
function swallowedErrors(tokens: readonly Token[]): TextFinding[] {
  return tokens.flatMap(({ kind, text, line }, index) => {
    if (kind !== "name" || text !== "instanceof" || tokens[index + 1]?.text !== "NetloomError") return [];
    const after = tokens.slice(index + 2, index + 8).map((token) => token.text);
    return after.join(" ") === ") ) throw error ; }"
      ? [{ line, why: "an operating error is swallowed: log it, count it in retries, or let it go" }]
      : [];
  });
}

/** Finds module-level state: `let`, `var`, a container that is not read-only, an instance, a static field. */
function mutableState(tokens: readonly Token[]): TextFinding[] {
  return tokens.flatMap(({ kind, text, line, depth }, index) => {
    if (kind !== "name") return [];
    const next = tokens[index + 1];
    if (text === "static" && isMutableStatic(tokens, index))
      return [{ line, why: "a static field that is not readonly" }];
    if (depth !== 0) return [];
    if (text === "let" || text === "var") return [{ line, why: `module-level ${text} ${next?.text}` }];
    if (text !== "const" || next?.kind !== "name") return [];
    const declaration = tokensOfStatement(tokens, index + 1);
    const why = mutableConstant(declaration);
    return why ? [{ line, why: `module-level ${next.text} is ${why}` }] : [];
  });
}

function isMutableStatic(tokens: readonly Token[], index: number): boolean {
  const [next, afterwards] = [tokens[index + 1], tokens[index + 2]];
  return (
    next?.kind === "name" && next.text !== "readonly" && ["=", ":", ";"].includes(afterwards?.text ?? "")
  );
}

function tokensOfStatement(tokens: readonly Token[], start: number): readonly Token[] {
  const end = tokens.findIndex(
    ({ text, depth, kind }, index) => index >= start && depth === 0 && kind === "sign" && text === ";",
  );
  return tokens.slice(start, end < 0 ? tokens.length : end);
}

/** The reason why a declared value can change, if it can. `name: Type = value`. */
function mutableConstant(declaration: readonly Token[]): string | undefined {
  const assign = declaration.findIndex(
    ({ text, depth, kind }) => depth === 0 && kind === "sign" && text === "=",
  );
  const type = declaration.slice(1, assign);
  const value = declaration.slice(assign + 1);
  const [first, second] = value;
  if (assign < 0 || !first) return undefined;
  // A `readonly` deeper in the type does not protect the container itself.
  if (/^[Rr]eadonly/.test(type[1]?.text ?? "")) return undefined;
  if (first.kind === "regex") {
    return /\/[a-z]*[gy][a-z]*$/.test(first.text) ? "a regular expression with a position" : undefined;
  }
  if (first.text === "new")
    return IMMUTABLE_CLASSES.has(second?.text ?? "") ? undefined : `a new ${second?.text}`;
  const isLiteral = first.kind === "sign" && (first.text === "[" || first.text === "{");
  const isConst = value.some(
    ({ text, depth }, index) => depth === 0 && text === "const" && value[index - 1]?.text === "as",
  );
  return isLiteral && !isConst ? "a literal that can be changed (as const, or a Readonly type)" : undefined;
}
