/** The rules for sources: every source file keeps them, and a planted violation of each rule is found. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite, test } from "node:test";
import { ARROWS, circles, unusedArrows } from "../scripts/arrows.ts";
import { filesImported, MAX_LINES, testViolations, typesTwice, violations } from "../scripts/house-rules.ts";
import { bannedWords, relativeClauses, repeatedSentences, wordsBanned } from "../scripts/word-rules.ts";
import { tokenise } from "../scripts/tokens.ts";

const ROOT = new URL("./", import.meta.url);

function sources(): string[] {
  return readdirSync(ROOT, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts") && !path.startsWith("api/gen/"))
    .sort();
}

test("every file keeps the arrows, the zone, and the rules for names and length", () => {
  const paths = sources();
  assert.ok(paths.length > 30, "the scan has seen the sources");
  const found = paths.flatMap((path) =>
    violations({ path, text: readFileSync(new URL(path, ROOT), "utf8") }),
  );
  assert.deepEqual(found, []);
});

test("no fixture, and no test of a whole mesh or kernel, measures time or sleeps, and all are short and well named", () => {
  const project = new URL("../", import.meta.url);
  const files = ["fixtures", "e2e"].flatMap((folder) =>
    readdirSync(new URL(`${folder}/`, project), { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith(".ts"))
      .map((path) => `${folder}/${path}`),
  );
  assert.ok(files.length > 60, "the scan has seen both folders");
  const found = files.flatMap((path) =>
    testViolations({ path, text: readFileSync(new URL(path, project), "utf8") }),
  );
  assert.deepEqual(found, []);
});

/** The imports of each file: all, or those at once. */
function imports(which: "all" | "at once"): Map<string, readonly string[]> {
  return new Map(
    sources().map((path) => [
      path,
      filesImported({ path, text: readFileSync(new URL(path, ROOT), "utf8") }, which),
    ]),
  );
}

test("no files import each other in a circle", () => {
  assert.deepEqual(circles(imports("at once")), []);
  const planted = new Map([
    ["a.ts", ["b.ts"]],
    ["b.ts", ["c.ts"]],
    ["c.ts", ["b.ts"]],
  ]);
  assert.deepEqual(circles(planted), ["files import each other: b.ts → c.ts → b.ts"]);
});

test("the files that the documents name exist, and each step of a path through the files is an import", () => {
  const project = new URL("../", import.meta.url);
  const pages = [
    "ARCHITECTURE.md",
    "STYLE.md",
    ...readdirSync(new URL("docs/", project), { recursive: true, encoding: "utf8" }).map(
      (name) => `docs/${name}`,
    ),
  ];
  const texts = pages
    .filter((name) => name.endsWith(".md"))
    .map((name) => readFileSync(new URL(name, project), "utf8"));
  const named = texts.flatMap((text) => [
    ...text.matchAll(/`((?:src|e2e|fixtures|scripts|datapath)\/[\w./-]+\.(?:ts|c|sh))`/g),
  ]);
  assert.ok(named.length > 50, "the scan has seen the pages");
  const missing = named.flatMap(([, path = ""]) => (existsSync(new URL(path, project)) ? [] : [path]));
  assert.deepEqual(missing, []);
  const steps = [...(texts[0] ?? "").matchAll(/`src\/([\w./-]+)`(?= ([→⇒]) `src\/([\w./-]+)`)/g)];
  assert.ok(steps.length >= 9, "each of the three paths has three steps");
  const importing = imports("all");
  for (const [, from = "", arrow, to = ""] of steps)
    if (arrow === "→") assert.ok(importing.get(from)?.includes(to), `${from} imports ${to}`);
});

test("an exported type has one definition in all sources", () => {
  const files = sources()
    .filter((path) => !path.endsWith(".test.ts"))
    .map((path) => ({ path, text: readFileSync(new URL(path, ROOT), "utf8") }));
  assert.deepEqual(typesTwice(files), []);
  const text = "export interface Wire {}";
  assert.deepEqual(
    typesTwice([
      { path: "a.ts", text },
      { path: "b.ts", text },
    ]),
    ["the type Wire is one thing in a.ts and another in b.ts"],
  );
});

test("every arrow of the table is used", () => {
  assert.deepEqual(unusedArrows(imports("all")), []);
  assert.ok(unusedArrows(new Map()).includes("async may import errors, and no file of it does"));
});

test("the arrows have no cycle", () => {
  const reaches = (from: string, to: string, seen: Set<string>): boolean =>
    (ARROWS.get(from) ?? []).some((next) => {
      if (next === to) return true;
      if (seen.has(next)) return false;
      seen.add(next);
      return reaches(next, to, seen);
    });
  assert.deepEqual(
    [...ARROWS.keys()].filter((room) => reaches(room, room, new Set())),
    [],
  );
});

test("only lab and cli import sim, store, linux, transport and exporters", () => {
  const ports = ["linux", "sim", "store", "transport", "exporters"];
  const importers = [...ARROWS].filter(([, rooms]) => rooms.some((room) => ports.includes(room)));
  assert.deepEqual(
    importers.map(([room]) => room),
    ["lab", "cli"],
  );
});

/** [the violation, path, source, the expected message] */
const PLANTED: readonly (readonly [string, string, string, RegExp])[] = [
  ["an arrow that points up", "world/a.ts", 'import { x } from "../sim/x.ts";', /world imports sim/],
  [
    "a type import that points up",
    "net/a.ts",
    'import type { X } from "../world/x.ts";',
    /net imports world/,
  ],
  [
    "a re-export that points up",
    "chain/a.ts",
    'export * from "../forwarder/plan.ts";',
    /chain imports forwarder/,
  ],
  [
    "a lazy import that points up",
    "agent/a.ts",
    'const f = () => import("../cli/a.ts");',
    /agent imports cli/,
  ],
  ["a side-effect import", "ipam/a.ts", 'import "../linux/netns.ts";', /ipam imports linux/],
  ["an import of main", "lab/a.ts", 'import { x } from "../main.ts";', /lab imports main/],
  ["an import from outside of src", "lab/a.ts", 'import { x } from "../../scripts/x.ts";', /outside of src/],
  ["linux in lab's neighbour", "roles/a.ts", 'import { x } from "../linux/x.ts";', /roles imports linux/],
  ["a new room", "misc-room/a.ts", "export {};", /no room misc-room/],
  ["a file in no room", "a.ts", "export {};", /no room a /],
  ["node:fs in the zone", "sim/a.ts", 'import { readFileSync } from "node:fs";', /imports "node:fs"/],
  ["a package in the zone", "forwarder/a.ts", 'import koffi from "koffi";', /imports "koffi"/],
  ["a computed import in the zone", "sim/a.ts", "const f = (n: string) => import(n);", /a computed name/],
  ["a test that measures", "lab/a.netns.test.ts", "const t = performance.now();", /:1: a test measures time/],
  [
    "a test that reads the wall clock",
    "sim/a.test.ts",
    "const f = () => Date.now();",
    /a test measures time/,
  ],
  ["a test that sleeps", "roles/a.test.ts", "setTimeout(() => {}, 1);", /:1: a test sleeps: until\(\)/],
  ["Date", "sim/a.ts", "const f = () => Date.now();", /uses Date/],
  ["a timer", "sim/a.ts", "function f() { setTimeout(() => {}, 1); }", /uses setTimeout/],
  ["setImmediate", "sim/a.ts", "const f = () => setImmediate;", /uses setImmediate/],
  ["queueMicrotask", "sim/a.ts", "queueMicrotask(() => 1);", /uses queueMicrotask/],
  ["performance", "store/a.ts", "const f = () => performance.now();", /uses performance/],
  ["process", "agent/a.ts", "const f = () => process.env.X;", /uses process/],
  ["globalThis", "agent/a.ts", 'const f = () => globalThis["Date"];', /uses globalThis/],
  ["Math.random", "net/a.ts", "const f = () => Math.random();", /uses Math.random/],
  ["Math.random by name", "net/a.ts", "const f = () => Math?.random();", /uses Math.random/],
  ["crypto", "identity/a.ts", "const f = () => crypto.randomUUID();", /uses crypto/],
  ["AbortSignal", "chain/a.ts", "const f = () => AbortSignal.timeout(5);", /uses AbortSignal/],
  ["WeakRef", "chain/a.ts", "const f = (o: object) => new WeakRef(o);", /uses WeakRef/],
  ["FinalizationRegistry", "chain/a.ts", "const f = () => new FinalizationRegistry(g);", /uses Finalization/],
  ["Intl", "observe/a.ts", "const f = () => new Intl.NumberFormat();", /uses Intl/],
  ["localeCompare", "ipam/a.ts", "const f = (a: string) => a.localeCompare('b');", /uses localeCompare/],
  ["toLocaleString", "ipam/a.ts", "const f = (a: number) => a?.toLocaleString();", /uses toLocaleString/],
  ["a stack in a trace", "sim/a.ts", "const f = (e: Error) => e.stack;", /uses stack/],
  ["ReadableStream", "sim/a.ts", "const f = () => new ReadableStream();", /uses ReadableStream/],
  ["Promise.race", "agent/a.ts", "const f = () => Promise.race([]);", /uses Promise.race/],
  ["Promise.any", "agent/a.ts", "const f = () => Promise.any([]);", /uses Promise.any/],
  ["a global in a template", "sim/a.ts", "const f = () => `a ${`b ${Date.now()}`}`;", /uses Date/],
  ["a global after a division", "sim/a.ts", "const f = (a: number) => a / 2 + Date.now() / 3;", /uses Date/],
  ["an ignored promise", "sim/a.ts", "const f = () => { void g(); };", /floats behind void/],
  [
    "an operating error that is swallowed",
    "sim/a.ts",
    "async function f() { try { await g(); } catch (error) { if (!(error instanceof NetloomError)) throw error; } }",
    /an operating error is swallowed/,
  ],
  ["module-level let", "sim/a.ts", "let count = 0;", /module-level let count/],
  ["module-level export let", "sim/a.ts", "export let count = 0;", /module-level let count/],
  ["a module-level Map", "sim/a.ts", "const cache = new Map<string, number>();", /cache is a new Map/],
  [
    "a Map of read-only things",
    "sim/a.ts",
    "const m: Map<string, readonly string[]> = new Map();",
    /m is a new Map/,
  ],
  ["a module-level instance", "sim/a.ts", "export const it = new Machine();", /it is a new Machine/],
  ["a module-level array", "sim/a.ts", "const all: string[] = [];", /all is a literal/],
  ["a module-level object", "sim/a.ts", "const state = { count: 0 };", /state is a literal/],
  ["a regular expression with a position", "sim/a.ts", "const A = /a/g;", /with a position/],
  ["a static field", "sim/a.ts", "class A { static count = 0; }", /static field/],
  ["a mechanism by its name", "forwarder/a.ts", 'const f = (t: string) => t === "VXLAN";', /names VXLAN/],
  [
    "a switch over kinds of kernel objects",
    "forwarder/a.ts",
    'import "../kernel/kernel.ts"; function f(o: O) { switch (o.kind) { case "veth": return 1; default: return 2; } }',
    /:1: it knows of veth objects/,
  ],
  [
    "a kind compared",
    "agent/a.ts",
    'import "../kernel/kernel.ts"; const f = (o: O) => o.kind === "route";',
    /it knows of route objects/,
  ],
  [
    "a query for a kind",
    "agent/a.ts",
    'import { ofKind } from "../kernel/objects.ts"; const f = (l: L) => ofKind(l, "vxlan");',
    /it knows of vxlan objects/,
  ],
  [
    "a file of the machine that is opened",
    "cli/a.ts",
    'import fs from "node:fs"; const f = () => fs.readFileSync("/proc/self/status");',
    /it opens files of the machine/,
  ],
  [
    "a file of the machine in a template",
    "transport/a.ts",
    'import fs from "node:fs/promises"; const f = (n: string) => fs.readFile(`/sys/class/net/${n}/mtu`);',
    /opens files/,
  ],
  [
    "namespaces that are listed",
    "lab/a.ts",
    'import { readdirSync } from "node:fs"; const f = () => readdirSync(NETNS_DIRECTORY);',
    /opens files/,
  ],
  ["a namespace that is entered", "cli/a.ts", "const f = (fd: number) => runIn(fd, () => 1);", /uses runIn/],
  ["the C library", "transport/a.ts", 'import koffi from "koffi";', /calls the C library/],
  [
    "a message that is matched",
    "agent/a.ts",
    "const f = (e: Error) => e.message.match(/taken/);",
    /decides by a text, message\.match/,
  ],
  [
    "a message that is searched",
    "linux/a.ts",
    "const f = (e: E) => e.cause?.message?.includes('taken');",
    /decides by a text, message\.includes/,
  ],
  [
    "a regular expression over details",
    "transport/a.ts",
    "const f = ({ details }: E) => /reset/.test(details);",
    /decides by a text, test\(details\)/,
  ],
  [
    "a regular expression over a message in a template",
    "cli/a.ts",
    "const f = (e: E) => WORDS.exec(`${g(e)} ${e.message}`);",
    /decides by a text, exec\(message\)/,
  ],
  [
    "a reason that begins with something",
    "lab/a.ts",
    "const f = (e: E) => e.reason.startsWith('no ');",
    /decides by a text, reason\.startsWith/,
  ],
  [
    "a message that is compared",
    "cli/a.ts",
    "const f = (e: E) => e.message === 'taken';",
    /decides by a text, message ===/,
  ],
  ["an unused exception", "transport/grpc-text.ts", "export {};", /it looks into no text/],
  ["a long file", "linux/a.ts", "//\n".repeat(MAX_LINES), /500 lines/],
  ["a file of utilities", "linux/string-utils.ts", "", /says nothing/],
  ["a file of helpers", "linux/helpers.ts", "", /says nothing/],
  ["a file name in camel case", "linux/netNs.ts", "", /kebab-case/],
];

suite("a planted violation is found", () => {
  for (const [title, path, text, expected] of PLANTED) {
    test(title, () => {
      const found = violations({ path, text });
      assert.equal(found.length, 1, found.join("\n"));
      assert.match(found[0] ?? "", expected);
    });
  }
});

test("planted words are found", () => {
  const banned = bannedWords(
    "## Words that Netloom does not use\n\n| not | but |\n|---|---|\n| blob | bytes |\n",
  );
  const found = [
    wordsBanned("const a = 1;\n// A Blob.", banned),
    relativeClauses("/** What it is. */\nconst a = 1;\n// Who asks?\n/* A thing. */"),
  ];
  assert.deepEqual(
    found.map((each) => each.map(({ line }) => line)),
    [[2], [1]],
  );
  const tokens = tokenise(
    `f(/one two three four five six/); f(/one two/); f(/one two/);
f("one: two three, four five six seven eight"); f("spec: { one: 2, three: 4 }"); f("spec: { one: 2, three: 4 }");`,
  );
  assert.deepEqual(repeatedSentences(new Map([["a.test.ts", tokens]])), []);
  const both = new Map(["a.test.ts", "b.test.ts"].map((path) => [path, tokens]));
  const lines = repeatedSentences(both);
  assert.deepEqual(
    lines.map((line) => line.split(":", 2).join(":")),
    ["b.test.ts:1", "b.test.ts:2"],
  );
  assert.match(lines[0] ?? "", / first at a\.test\.ts:1: /);
});

/** [the allowed code, path, source] */
const INNOCENT: readonly (readonly [string, string, string])[] = [
  ["banned words in comments", "sim/a.ts", "// Date.now()\n/* setTimeout */\n/** `process` */\nexport {};"],
  ["banned words in strings", "sim/a.ts", `const f = () => ["Date", 'process', \`crypto \${1} Intl\`];`],
  ["banned words in regular expressions", "sim/a.ts", 'const f = (a: string) => /Date[/"]process/.test(a);'],
  ["comment signs in strings", "sim/a.ts", 'const f = () => ["//", "/*", "a\\"//"]; const g = () => "*/";'],
  ["keys and properties with a banned name", "sim/a.ts", "const f = (a: A) => ({ process: a.performance });"],
  [
    "state inside of a function",
    "sim/a.ts",
    "function f() { let n = 0; const m = new Map(); return [n, m]; }",
  ],
  [
    "read-only containers",
    "sim/a.ts",
    "const a: ReadonlyMap<string, number> = new Map(); const b = [1] as const;",
  ],
  ["constants that satisfy a type", "sim/a.ts", "const a = { b: [1] } as const satisfies A;"],
  ["a static constant and a static method", "sim/a.ts", "class A { static readonly b = 1; static c() {} }"],
  ["a mechanism in its own room", "mechanisms/a.ts", 'export const type = "VXLAN";'],
  [
    "the name of a reason among others",
    "agent/a.ts",
    "const f = (e: E) => A.includes(e.reason.name) && g(e.message) && B.includes(e.code);",
  ],
  ["a message that is matched in a test", "agent/a.test.ts", "const f = (e: Error) => /a/.test(e.message);"],
  ["anything else in a test", "sim/a.test.ts", 'import "node:fs"; let n = process.pid;'],
  [
    "an object of some kind",
    "forwarder/a.ts",
    'import "../kernel/kernel.ts"; const f = () => [{ kind: "veth", ends: [] }, g("rule")];',
  ],
  [
    "a switch over other kinds",
    "cli/a.ts",
    'import "../kernel/kernel.ts"; function f(t: T) { switch (t.type) { case "address": return 1; } }',
  ],
  ["a kind of something else", "world/a.ts", 'const f = (p: P) => p.kind === "address";'],
  ["a kind in its own file", "sim/kernel/objects/veth.ts", 'const f = (d: D) => d.kind === "veth";'],
  ["the name of a namespace", "lab/a.ts", "const f = (n: string) => `file:///run/netns/${n}`;"],
  [
    "a file of our own",
    "cli/a.ts",
    'import fs from "node:fs"; const f = () => fs.readFileSync("/run/netloom/x");',
  ],
  ["nothing, opened", "cli/a.ts", 'import fs from "node:fs"; const f = () => fs.openSync("/dev/null", "r");'],
  ["what linux opens", "linux/a.ts", 'import fs from "node:fs"; const f = () => fs.readdirSync("/proc");'],
  ["timers outside of the zone", "linux/a.ts", 'import fs from "node:fs"; let n = 0; setTimeout(fs.x, n);'],
  [
    "arrows that point down",
    "lab/a.ts",
    'import { a } from "../linux/a.ts"; import { b } from "../transport/b.ts";',
  ],
];

suite("what is allowed is not found", () => {
  for (const [title, path, text] of INNOCENT) {
    test(title, () => assert.deepEqual(violations({ path, text }), []));
  }
});

test("the linter, as configured, finds a floating promise (R3)", (context) => {
  const directory = mkdtempSync(join(tmpdir(), "nlt-"));
  context.after(() => rmSync(directory, { recursive: true }));
  writeFileSync(
    join(directory, "tsconfig.json"),
    '{ "compilerOptions": { "strict": true }, "include": ["."] }',
  );
  const lint = (text: string) => {
    writeFileSync(join(directory, "a.ts"), text);
    const config = new URL("../.oxlintrc.json", import.meta.url).pathname;
    const oxlint = new URL("../node_modules/oxlint/bin/oxlint", import.meta.url).pathname;
    // It starts another program of its own, whose first line asks for a node.
    const path = `${new URL("../bin", import.meta.url).pathname}:${process.env["PATH"]}`;
    const options = { cwd: directory, encoding: "utf8", env: { ...process.env, PATH: path } } as const;
    return spawnSync(process.execPath, [oxlint, "--type-aware", "-c", config, "a.ts"], options);
  };
  const right = lint("async function f(): Promise<void> {}\nexport const g = async () => { await f(); };\n");
  assert.equal(right.status, 0, right.stdout + right.stderr);
  const wrong = lint("async function f(): Promise<void> {}\nexport const g = () => { f(); };\n");
  assert.equal(wrong.status, 1);
  assert.match(wrong.stdout, /no-floating-promises/);
});

test("the tokeniser keeps lines and depth across strings, templates and comments", () => {
  const tokens = tokenise("/* 1\n2 */ a(`x\n${b}`,\n'c')");
  assert.deepEqual(
    tokens.map(({ text, line, depth }) => [text, line, depth]),
    [
      ["a", 2, 0],
      ["(", 2, 0],
      ["x\n", 2, 1],
      ["b", 3, 2],
      ["", 3, 1],
      [",", 3, 1],
      ["c", 4, 1],
      [")", 4, 0],
    ],
  );
  assert.throws(() => tokenise("f({)"), /unexpected/);
});
