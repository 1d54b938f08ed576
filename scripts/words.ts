/** Plain words in the sources and pages, for `make check`: prints each place that breaks a rule, and exits with 1. */
import { readdirSync, readFileSync } from "node:fs";
import type { TextFinding } from "./text-rules.ts";
import { tokenise } from "./tokens.ts";
import { bannedWords, relativeClauses, repeatedSentences, wordsBanned } from "./word-rules.ts";

const ROOT = new URL("../", import.meta.url);
const GLOSSARY = "docs/reference/glossary.md";
const FOLDERS = ["src", "fixtures", "e2e", "bench", "interop", "scripts", "datapath", "site", "docs"];
const NOT_OURS = /(^|\/)(node_modules|gen|build|dist|\.cache|\.build)\//;
/** The rules name the words themselves. */
const RULES = /^scripts\/word-rules\.ts$/;

function files(): string[] {
  const below = FOLDERS.flatMap((folder) =>
    readdirSync(new URL(`${folder}/`, ROOT), { recursive: true, encoding: "utf8" }).map(
      (name) => `${folder}/${name}`,
    ),
  );
  const all = [...below, "README.md", "ARCHITECTURE.md", "STYLE.md"];
  return all
    .filter((path) => /\.(ts|c|h|md)$/.test(path) && !NOT_OURS.test(path) && !RULES.test(path))
    .sort();
}

function read(path: string): string {
  return readFileSync(new URL(path, ROOT), "utf8");
}

const banned = bannedWords(read(GLOSSARY));
if (banned.length === 0) throw new Error(`${GLOSSARY} has no table of words that are not used`);

function findingsIn(path: string): readonly TextFinding[] {
  const text = read(path);
  const words = path === GLOSSARY ? [] : wordsBanned(text, banned);
  if (path.endsWith(".md")) return words;
  return [...words, ...relativeClauses(text)];
}

const all = files();
const tests = all.filter((path) => path.endsWith(".test.ts"));
const found = [
  ...all.flatMap((path) => findingsIn(path).map(({ line, why }) => `${path}:${line}: ${why}`)),
  ...repeatedSentences(new Map(tests.map((path) => [path, tokenise(read(path))]))),
];
for (const line of found) console.error(line);
process.exitCode = found.length > 0 ? 1 : 0;
