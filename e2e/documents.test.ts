/** The pages of the project: every link leads somewhere, and the table of contents has every page of docs/. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { suite, test } from "node:test";
import { renderPicture } from "../scripts/picture.ts";
import { headingsOf, isForeign, linksOf, resolveLink } from "../scripts/markdown.ts";

const root = new URL("../", import.meta.url);

function read(path: string): string {
  return readFileSync(new URL(path, root), "utf8");
}

/** Pages written in this repository, as paths relative to the project. */
function pages(): string[] {
  const below = (folder: string): string[] =>
    readdirSync(new URL(`${folder}/`, root), { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith(".md"))
      .map((path) => `${folder}/${path}`);
  const top = readdirSync(root).filter((path) => path.endsWith(".md"));
  return [...top, ...below("docs")].sort();
}

/** Descriptions of the broken links of `page`. */
function brokenLinks(page: string, markdown: string): string[] {
  return linksOf(markdown).flatMap(({ target, line }) => {
    if (isForeign(target)) return [];
    const { path, anchor } = resolveLink(page, target);
    if (path.startsWith("..") || !existsSync(new URL(path, root)))
      return [`${page}:${line}: there is no ${path}`];
    if (anchor === "") return [];
    const text = path === page ? markdown : read(path);
    const isThere = headingsOf(text).some(({ slug }) => slug === anchor);
    return isThere ? [] : [`${page}:${line}: ${path} has no heading #${anchor}`];
  });
}

suite("links", () => {
  test("every link of every page leads to a file, and to a heading in it", () => {
    const all = pages();
    assert.ok(all.length > 20, "the scan has seen the pages");
    assert.deepEqual(
      all.flatMap((page) => brokenLinks(page, read(page))),
      [],
    );
  });

  test("a broken link is found, one in code is ignored", () => {
    const text = [
      "# A page",
      "[a](b.md) [c](#a-page)",
      "[d](#e) `[f](g.md)`",
      "```",
      "[h](i.md)",
      "```",
    ].join("\n");
    assert.deepEqual(brokenLinks("STYLE.md", text), [
      "STYLE.md:2: there is no b.md",
      "STYLE.md:3: STYLE.md has no heading #e",
    ]);
  });

  test("anchors are those of GitHub", () => {
    const slugs = headingsOf("# What's `up`?\n## NL-303: a, b\n## A\n## A\n").map(({ slug }) => slug);
    assert.deepEqual(slugs, ["whats-up", "nl-303-a-b", "a", "a-1"]);
  });
});

test("every page that a source file, a message or a script names exists", () => {
  const { stdout } = spawnSync(
    "grep",
    ["-rnoE", "docs/[a-z/-]+\\.md", "src", "e2e", "scripts", "bench", "proto", "Makefile"],
    {
      cwd: root,
      encoding: "utf8",
    },
  );
  const named = stdout.trim().split("\n");
  assert.ok(named.length > 20, "the scan has seen the sources");
  const isPlanted = (line: string): boolean => line.startsWith("e2e/documents.test.ts");
  const missing = named.filter(
    (line) => !isPlanted(line) && !existsSync(new URL(line.split(":").at(-1) ?? "", root)),
  );
  assert.deepEqual(missing, []);
});

suite("pictures", () => {
  const sources = readdirSync(new URL("docs/pictures/", root)).filter((name) => name.endsWith(".yaml"));

  test("every picture has a source, and a page that shows it", () => {
    const svgs = sources.map((name) => `docs/pictures/svg/${name.replace(/yaml$/, "svg")}`).sort();
    const made = readdirSync(new URL("docs/pictures/svg/", root)).map((name) => `docs/pictures/svg/${name}`);
    const shown = pages().flatMap((page) =>
      linksOf(read(page)).flatMap(({ target, isPicture }) =>
        isPicture ? [resolveLink(page, target).path] : [],
      ),
    );
    assert.deepEqual(made.sort(), svgs);
    assert.deepEqual([...new Set(shown)].sort(), svgs);
  });

  test("text is not read as markup, a line ends at the edges of its boxes, and a line to a missing box is refused", () => {
    const source = [
      "title: a < b",
      "boxes:",
      "  a: { at: [0, 0], size: [10, 10], kind: workload }",
      "  b: { at: [50, 0], size: [10, 10], kind: workload }",
      "lines:",
      "  - { from: a, to: b, kind: wire }",
    ].join("\n");
    const svg = renderPicture(source);
    assert.match(svg, /<title>a &lt; b<\/title>/);
    assert.match(svg, /<polyline class="wire" points="10,5 50,5"\/>/);
    assert.throws(() => renderPicture(source.replace("to: b", "to: c")), /a line names c/);
  });
});

test("the table of contents has every page of docs/, once", () => {
  const listed = linksOf(read("docs/README.md"))
    .filter(({ target }) => !isForeign(target))
    .map(({ target }) => resolveLink("docs/README.md", target).path)
    .filter((path) => path.startsWith("docs/") && path.endsWith(".md"));
  const written = pages().filter((page) => page.startsWith("docs/") && page !== "docs/README.md");
  assert.deepEqual(listed.toSorted(), written);
});
