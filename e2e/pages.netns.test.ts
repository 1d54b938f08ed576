/**
 * Checks that the pages are true: their commands run, each page in its own bed, and must print what the page shows,
 * except for figures (e2e/pages/shape.ts). `make pages` writes the output into the pages.
 */
import assert from "node:assert/strict";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite, test } from "node:test";
import { needsRoot } from "../fixtures/linux/netns.ts";
import { Bed, type Ran } from "./pages/bed.ts";
import { commandsOf, followedBy, varyingOf, type PageCommand } from "./pages/commands.ts";
import { isShown, isShownIn, type Varying } from "./pages/shape.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const isWriting = process.env["NETLOOM_PAGES"] === "write";

/**
 * Replaced commands, which differ here from a reader's machine: tests cannot run inside a test, and a set-up would
 * change the tree that they run in.
 */
const INSTEAD: ReadonlyMap<string, string> = new Map([
  ["make demo", "bin/netloom demo"],
  ["make test", "true"],
]);

function pages(): string[] {
  const below = ["docs/start", "docs/how-to"].flatMap((folder) =>
    readdirSync(join(root, folder)).map((name) => `${folder}/${name}`),
  );
  return ["README.md", ...below.filter((path) => path.endsWith(".md")).sort()];
}

function read(page: string): string {
  return readFileSync(join(root, page), "utf8");
}

/** Pages whose commands come before those of this one, ending with this one. */
function inOrder(page: string): string[] {
  const before = followedBy(read(page));
  return before === undefined ? [page] : [...inOrder(join(dirname(page), before)), page];
}

/** Runs all commands of `page`. Returns the page with the real output where it differs. */
async function run(bed: Bed, page: string): Promise<string> {
  const text = read(page);
  const varying = varyingOf(text);
  const lines: (string | undefined)[] = text.split("\n");
  for (const command of commandsOf(text)) {
    const instead = INSTEAD.get(command.command);
    const ran = await runUntilShown(bed, { ...command, command: instead ?? command.command }, varying);
    if (instead === "true" || command.command.endsWith("&")) continue;
    if (isWriting && command.output !== "" && !isShown(command.output, ran.output, varying)) {
      lines.fill(undefined, command.from - 1, command.to - 1);
      lines[command.from - 1] = ran.output.trimEnd();
    } else {
      judge(`${page}:${command.from - 1}`, { command, ran, varying });
    }
  }
  return lines.filter((line) => line !== undefined).join("\n");
}

/** Commands that only look. Their output may need a moment to appear. */
const LOOKING = /^netloom (status|get|describe|why)\b/;
const LOOKS = 10;

async function runUntilShown(bed: Bed, command: PageCommand, varying: Varying): Promise<Ran> {
  for (let look = 1; ; look++) {
    const ran = await bed.run(command);
    if (look === LOOKS || !LOOKING.test(command.command) || isShown(command.output, ran.output, varying))
      return ran;
  }
}

interface Judged {
  readonly command: PageCommand;
  readonly ran: Ran;
  readonly varying: Varying;
}

/** Fails if a command has not printed what the page shows, or, if the page shows nothing, if the command failed. */
function judge(where: string, { command: { command, output }, ran, varying }: Judged): void {
  if (output === "") assert.equal(ran.code, 0, `${where}: ${command}\n${ran.output}`);
  else if (!isShown(output, ran.output, varying)) assert.equal(ran.output, output, `${where}: ${command}`);
}

suite("the commands of", { skip: needsRoot, concurrency: 2 }, () => {
  for (const page of pages()) {
    test(page, async () => {
      await using bed = await Bed.open();
      for (const each of inOrder(page)) {
        const text = await run(bed, each);
        if (isWriting && each === page && text !== read(page)) writeFileSync(join(root, page), text);
      }
    });
  }
});

test("figures may differ between runs, names and addresses may not, and … stands for omitted text", () => {
  const shown = "web-db: vxlan vni 7 alpha→beta\n  10.0.0.0  #1: 0.125 ms\n…\nmtu 1446 of …\n";
  const printed = "web-db: vxlan vni 99 alpha→beta\n  10.0.0.0    #1: 12 ms\na\nb\nmtu 1446 of x y\n";
  assert.ok(isShown(shown, printed));
  assert.ok(!isShown(shown, printed.replace("1446", "1500")));
  assert.ok(!isShown(shown, printed.replace("10.0.0.0", "10.0.0.1")));
  assert.ok(!isShown(shown, `${printed}one line more\n`));
  assert.ok(isShownIn("ready: …\n", "a\nready: agent alpha\nb\n"));
});

test("a prompt names the host, and a command may have several lines", () => {
  const markdown = "# A\n```console\n$ a \\\n    b\nc\n\nd\nbeta$ e\n```\n";
  assert.deepEqual(commandsOf(markdown), [
    { host: undefined, command: "a \\\n    b", output: "c\n\nd\n", from: 5, to: 8 },
    { host: "beta", command: "e", output: "", from: 9, to: 9 },
  ]);
});
