/**
 * Puts the pages of the project where the site has them, in site/.cache/pages: those of docs/ at the top, the map and the style
 * of the project under internals, and of each file of examples/ a page. A link that leads to none of these becomes its text.
 */
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { isForeign, linksOf, resolveLink } from "../scripts/markdown.ts";

const PROJECT = fileURLToPath(new URL("..", import.meta.url));
const PAGES = fileURLToPath(new URL(".cache/pages", import.meta.url));

/** Pages outside of docs/, by paths below the project, and where the site has them. */
const ELSEWHERE: ReadonlyMap<string, string> = new Map([
  ["docs/README.md", "index.md"],
  ["README.md", "index.md"],
  ["ARCHITECTURE.md", "internals/architecture.md"],
  ["STYLE.md", "internals/style.md"],
  ["CHANGELOG.md", "reference/changes.md"],
  ["examples", "examples/index.md"],
]);

/** The page of the site, if there is one, for a file or folder of the project. */
export function pageOf(path: string): string | undefined {
  const plain = path.replace(/\/$/, "");
  const [, example] = /^examples\/(.+)\.yaml$/.exec(plain) ?? [];
  if (example !== undefined) return `examples/${example}.md`;
  const [, documentation] = /^docs\/(.+\.(?:md|svg))$/.exec(plain) ?? [];
  return ELSEWHERE.get(plain) ?? documentation;
}

/** The page as the site has it: links lead to pages of the site, and the comments for the test of its commands are gone. */
function adapted(path: string, markdown: string): string {
  const page = pageOf(path) ?? "";
  const lines = markdown.split("\n");
  for (const { text, target, line, isPicture } of linksOf(markdown)) {
    if (isForeign(target)) continue;
    const { path: file, anchor } = resolveLink(path, target);
    const to = pageOf(file);
    const link =
      to === undefined ? text : `[${text}](${relative(page, to)}${anchor === "" ? "" : `#${anchor}`})`;
    const written = `${isPicture ? "!" : ""}[${text}](${target})`;
    lines[line - 1] = (lines[line - 1] ?? "").replace(written, `${isPicture ? "!" : ""}${link}`);
  }
  return lines.filter((line) => !/^<!-- .* -->$/.test(line)).join("\n");
}

function relative(from: string, to: string): string {
  const path = posix.relative(posix.dirname(from), to);
  return path.startsWith(".") ? path : `./${path}`;
}

function write(page: string, text: string): void {
  mkdirSync(dirname(join(PAGES, page)), { recursive: true });
  writeFileSync(join(PAGES, page), text);
}

function read(path: string): string {
  return readFileSync(join(PROJECT, path), "utf8");
}

function documents(): string[] {
  return readdirSync(join(PROJECT, "docs"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`);
}

/** Writes all pages anew. */
export function assemble(): void {
  rmSync(PAGES, { recursive: true, force: true });
  const outside = [...ELSEWHERE.keys()].filter((path) => path.endsWith(".md") && !/README/.test(path));
  for (const path of [...documents(), ...outside]) write(pageOf(path) ?? "", adapted(path, read(path)));
  cpSync(join(PROJECT, "docs/pictures/svg"), join(PAGES, "pictures/svg"), { recursive: true });
  cpSync(join(PROJECT, "docs/schema"), join(PAGES, "public/schema"), { recursive: true });
  const examples = readdirSync(join(PROJECT, "examples")).filter((name) => name.endsWith(".yaml"));
  for (const name of examples)
    write(
      `examples/${name.replace(/yaml$/, "md")}`,
      `# ${name}\n\n\`\`\`yaml\n${read(`examples/${name}`)}\`\`\`\n`,
    );
  const list = examples.map((name) => `- [${name}](./${name.replace(/yaml$/, "md")})\n`);
  write(
    "examples/index.md",
    `# Examples\n\nThese files are in the folder \`examples\` of the project.\n\n${list.join("")}`,
  );
}
