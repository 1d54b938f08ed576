/**
 * The command of a kind of document: builds a document from the command line, applies it, and shows it when it is up.
 */
import type { Command } from "commander";
import type { CommandOption, Given, KindCommand } from "../documents/command.ts";
import type { KindWords } from "../documents/kind.ts";
import { workloadForms } from "../resolvers/workload-ref.ts";
import { describe, option, outputOption, type CommandContext } from "./command.ts";
import { addAgentOptions, type AgentChoice } from "./mesh/agent-options.ts";
import type { WireView } from "../view/wire-view.ts";
import type { WrittenWorkload } from "./mesh/workload.ts";
import type { Format, Output } from "./output.ts";
import { repeatable } from "./repeatable.ts";
import { parseWait } from "./wait.ts";

interface Options extends AgentChoice {
  readonly name?: string;
  readonly interface?: string;
  readonly label?: readonly string[];
  readonly mtu?: number;
  readonly exclude?: readonly string[];
  readonly wait: number;
  readonly dryRun?: boolean;
  readonly output: Format;
  /** The kind's own options. */
  readonly [name: string]: unknown;
}

export function kindCommand(context: CommandContext, words: KindWords, kind: KindCommand): Command {
  const command = addAgentOptions(describe(kind))
    .addOption(option("--name <name>", "name of the attachment (default: workload-service)"))
    .addOption(option("-i, --interface <device>", kind.interface))
    .addOption(repeatable("-l, --label <key=value>", "labels that the matches of services select by"))
    .addOption(option("--mtu <bytes>", "largest MTU (default: the MTU of the path)").argParser(Number))
    .addOption(repeatable("--exclude <prefix>", "no endpoint may give addresses of this prefix"))
    .addOption(
      option("--wait <seconds>", "how long to wait until it is up")
        .argParser(parseWait)
        .default(10_000, "10"),
    )
    .addOption(option("--dry-run", "print the document for apply, and do nothing else"))
    .argument("<workload>", workloadForms(kind.workload))
    .argument("<service...>", kind.services);
  for (const each of kind.options) command.addOption(ownOption(each));
  return command
    .addOption(outputOption())
    .action(async (workload: string, services: readonly string[], options: Options) => {
      const problem = kind.refuse?.({ services, ...namesIn(options) });
      if (problem !== undefined) command.error(`error: ${problem}`);
      const [{ readLabels, readWorkload }, { stringify }] = await Promise.all([
        import("./mesh/workload.ts"),
        import("yaml"),
      ]);
      const isAgentGiven = command.getOptionValueSource("agent") !== "default";
      const written = readWorkload(workload, options, { isAgentGiven });
      const given = givenBy(written, { services, options, labels: readLabels(options.label) });
      const head = { apiVersion: words.apiVersion, kind: words.kind };
      const documents = kind
        .documents(given)
        .map((document) => stringify(withoutAbsent({ ...head, ...document })));
      await apply(context, written.options, { documents: documents.join("---\n"), options });
    });
}

function ownOption({ flags, about, isRepeated, choices }: CommandOption) {
  const own = isRepeated === true ? repeatable(flags, about) : option(flags, about);
  return choices ? own.choices([...choices]) : own;
}

function givenBy(
  { workload, label }: WrittenWorkload,
  {
    services,
    options,
    labels,
  }: {
    readonly services: readonly string[];
    readonly options: Options;
    readonly labels: Readonly<Record<string, string>> | undefined;
  },
): Given {
  const { mtu, exclude } = options;
  return {
    workload,
    label,
    services,
    ...namesIn(options),
    ...(labels && { labels }),
    ...(mtu !== undefined && { mtu }),
    ...(exclude && { exclude }),
    text: (option) => options[camelCase(option)] as string | undefined,
    texts: (option) => options[camelCase(option)] as readonly string[] | undefined,
  };
}

/** The property name that commander gives `--dry-run`. */
function camelCase(option: string): string {
  return option.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function namesIn({ name, interface: device }: Options): Pick<Given, "name" | "interface"> {
  return { ...(name !== undefined && { name }), ...(device !== undefined && { interface: device }) };
}

async function apply(
  context: CommandContext,
  target: AgentChoice,
  { documents, options }: { readonly documents: string; readonly options: Options },
): Promise<void> {
  if (options.dryRun === true) {
    const { printableYaml } = await import("../text/yaml-text.ts");
    return context.out.write(printableYaml(documents));
  }
  const [{ withAgent }, { applyDocuments, printApplied, printFailures }] = await Promise.all([
    import("./mesh/agent-access.ts"),
    import("./mesh/apply-documents.ts"),
  ]);
  await withAgent(context, target, async (agent) => {
    const files = [{ name: "the command line", text: documents }];
    const report = await applyDocuments(agent, files, { waitMs: options.wait });
    const ids = new Set(report.attachments.flatMap(({ wireId }) => wireId ?? []));
    const [{ askStatus }, { meshView }] = await Promise.all([
      import("./mesh/ask-status.ts"),
      import("../view/mesh-view.ts"),
    ]);
    const wires = meshView(await askStatus([agent])).wires.filter(({ id }) => ids.has(id));
    if (options.output === "json") {
      context.out.json({ ...report, wires });
    } else {
      printApplied(context.out, report);
      for (const wire of wires) printWire(context.out, wire);
      printFailures(context.out, report);
    }
    context.setExitCode(report.attachments.every(({ state }) => state === "up") ? 0 : 1);
  });
}

function printWire(out: Output, wire: WireView): void {
  const { client, endpoint } = wire.addresses;
  const addresses = client.length === 0 ? "" : `, ${client.join(" ")} → ${endpoint.join(" ")}`;
  out.line(`  ${wire.wire} → ${wire.endpoint}: ${wire.path}, mtu ${wire.mtuBytes}${addresses}`);
}

/** A copy without the keys of metadata and spec that the command line does not set. */
function withoutAbsent(document: object): object {
  return JSON.parse(JSON.stringify(document)) as object;
}
