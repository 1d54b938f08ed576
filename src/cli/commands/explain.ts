import type { Command } from "commander";
import { didYouMean } from "../../text/problem.ts";
import { NetloomError, type Topic } from "../../errors/errors.ts";
import { type ReasonName, REASONS } from "../../errors/reasons.ts";
import { describe, outputOption, type CommandContext } from "../command.ts";
import { ERROR_AREAS, ERROR_PAGES, type ErrorPage } from "../errors/error-pages.ts";
import { table, type Format, type Output } from "../output.ts";

export function explainCommand(context: CommandContext): Command {
  return describe({
    name: "explain",
    description:
      "Explains an error: its meaning, causes and remedies. Every error message ends with the code of its page. Without " +
      "a code: lists all codes. Also explains a reason, which an error has as data (cause in JSON). The same pages are in " +
      "docs/reference/errors.md. Needs no privilege and no agent.",
    examples: [
      { command: "netloom explain NL-303", about: "one page" },
      { command: "netloom explain", about: "all codes" },
      { command: "netloom explain NO_CANDIDATE", about: "a reason, and its fields" },
      {
        command: "netloom explain NL-303 -o json",
        about: '{"topic", "title", "means", "causes", "remedies"}',
      },
    ],
  })
    .argument("[topic]", "the code of an error, NL-303 or 303, or the name of a reason")
    .addOption(outputOption())
    .action((text: string | undefined, options: { output: Format }) => {
      if (text === undefined) return listPages(context.out, options.output);
      const name = text.toUpperCase();
      if (Object.hasOwn(REASONS, name)) return explainReason(context.out, name as ReasonName, options.output);
      const [topic, page] = findPage(text);
      if (options.output === "json") return context.out.json({ topic, ...page });
      printPage(context.out, topic, page);
    });
}

function explainReason(out: Output, name: ReasonName, format: Format): void {
  const { about, fields } = REASONS[name];
  if (format === "json") return out.json({ reason: name, means: about, fields });
  out.line(`${out.style("bold", name)}  ${about}`);
  out.line("\nFields:");
  for (const line of table(Object.entries(fields).map(([field, meaning]) => [`  ${field}`, meaning])))
    out.line(line);
}

function findPage(text: string): [Topic, ErrorPage] {
  const topic: Topic = `NL-${text.toUpperCase().replace(/^NL-?/, "").padStart(3, "0")}`;
  const page = ERROR_PAGES[topic];
  if (page) return [topic, page];
  throw new NetloomError(
    "NOT_FOUND",
    `explain ${text}: there is no such error${didYouMean(topic, Object.keys(ERROR_PAGES))}`,
    { hint: "netloom explain lists all of them" },
  );
}

function listPages(out: Output, format: Format): void {
  const pages = pagesInOrder();
  if (format === "json") return out.json({ errors: pages.map(([topic, { title }]) => ({ topic, title })) });
  for (const line of table(pages.map(([topic, { title }]) => [topic, title]))) out.line(line);
}

function printPage(out: Output, topic: Topic, { title, means, causes, remedies }: ErrorPage): void {
  out.line(`${out.style("bold", topic)}  ${title}`);
  out.line(`\n${wrap(means, "")}`);
  out.line("\nCauses:");
  for (const cause of causes) out.line(wrap(cause, "  - "));
  out.line("\nWhat to do:");
  for (const remedy of remedies) out.line(wrap(remedy, "  - "));
}

const widthOfText = 100;

/** Wraps text to 100 columns: the first line follows `lead`, the others are aligned with its text. */
function wrap(text: string, lead: string): string {
  const lines: string[] = [];
  let line = lead;
  for (const word of text.split(" ")) {
    if (line.length + word.length > widthOfText && line.trim() !== lead.trim()) {
      lines.push(line.trimEnd());
      line = " ".repeat(lead.length);
    }
    line += `${word} `;
  }
  return [...lines, line.trimEnd()].join("\n");
}

/** The content of docs/reference/errors.md. `scripts/docs.ts` writes the file, and a test compares it. */
export function errorReference(): string {
  const list = (texts: readonly string[]): string => texts.map((text) => `- ${markdown(text)}`).join("\n");
  const areas = Object.entries(ERROR_AREAS).flatMap(([digit, area]) => [
    `## ${area}`,
    ...pagesInOrder()
      .filter(([topic]) => topic.startsWith(`NL-${digit}`))
      .flatMap(([topic, { title, means, causes, remedies }]) => [
        `### ${topic}: ${title}`,
        markdown(means),
        `Causes:\n\n${list(causes)}`,
        `What to do:\n\n${list(remedies)}`,
      ]),
  ]);
  const reasons = Object.entries(REASONS).map(([name, { about, fields }]) => {
    const each = Object.entries(fields).map(([field, meaning]) => `\`${field}\`: ${meaning}`);
    return `| \`${name}\` | ${about} | ${each.join("; ")} |`;
  });
  return [
    "# Errors",
    "Written by `make docs` from src/cli/errors/error-pages.ts and src/errors/reasons.ts: change those, not this file.\n" +
      "`netloom explain NL-303` prints one of these pages. An error has the page of its situation; without one it has the page of its code\n" +
      "(NL-001 to NL-016, numbered as gRPC's status codes).",
    ...areas,
    "## Reasons",
    "An error may also have a reason: its cause as data. The reason is the same on every host that the error passes, also when a\n" +
      "host adds words to the message. Over gRPC it is the `google.rpc.ErrorInfo` of the trailer `grpc-status-details-bin`, with\n" +
      "the domain `netloom.dev`; in JSON it is `cause`, with `name` and `fields`. Names and fields keep their meaning from release to\n" +
      "release; a release may add new ones.",
    ["| reason | means | fields |", "|---|---|---|", ...reasons].join("\n"),
  ]
    .join("\n\n")
    .concat("\n");
}

/** Escapes text such as `<workload>`, which is not HTML. */
function markdown(text: string): string {
  return text.replaceAll("<", "\\<");
}

function pagesInOrder(): [Topic, ErrorPage][] {
  return Object.entries(ERROR_PAGES).sort(([a], [b]) => (a < b ? -1 : 1)) as [Topic, ErrorPage][];
}
