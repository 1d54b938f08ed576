/** What connect and expose have in common: attachments made from the command line, applied, and shown when they are up. */
import type { Command } from "commander";
import { option, type Context } from "../command.ts";
import type { Format, Output } from "../output.ts";
import { repeatable } from "../repeatable.ts";
import { parseWait } from "../wait.ts";
import { addAgentOptions, type AgentOptions } from "./agent-options.ts";
import type { WireView } from "./mesh-view.ts";
import type { WrittenWorkload } from "./workload.ts";

export interface WishOptions extends AgentOptions {
  readonly name?: string;
  readonly interface?: string;
  readonly label?: readonly string[];
  readonly mtu?: number;
  readonly exclude?: readonly string[];
  readonly wait: number;
  readonly dryRun?: boolean;
  readonly output: Format;
}

/** Adds the options of `WishOptions`, but for the format. What a name of a device means is different for both ends. */
export function addWishOptions(
  command: Command,
  { interfaceHelp }: { readonly interfaceHelp: string },
): Command {
  return addAgentOptions(command)
    .addOption(option("--name <name>", "name of the attachment (default: workload-service)"))
    .addOption(option("-i, --interface <device>", interfaceHelp))
    .addOption(repeatable("-l, --label <key=value>", "what services choose by"))
    .addOption(option("--mtu <bytes>", "at most; default: what the path carries").argParser(Number))
    .addOption(repeatable("--exclude <prefix>", "addresses that must not be given"))
    .addOption(
      option("--wait <seconds>", "how long to wait until it is up")
        .argParser(parseWait)
        .default(10_000, "10"),
    )
    .addOption(option("--dry-run", "print the document for apply, and do nothing else"));
}

/** Applies what `documents` makes of the workload, and shows what came of it. */
export async function applyWish(
  context: Context,
  command: Command,
  {
    workload: text,
    options,
    documents,
  }: {
    readonly workload: string;
    readonly options: WishOptions;
    readonly documents: (written: WrittenWorkload) => object[];
  },
): Promise<void> {
  const [{ readWorkload }, { stringify }] = await Promise.all([import("./workload.ts"), import("yaml")]);
  const isAgentGiven = command.getOptionValueSource("agent") !== "default";
  const written = readWorkload(text, options, { isAgentGiven });
  const yaml = documents(written)
    .map((document) => stringify(withoutAbsent(document)))
    .join("---\n");
  if (options.dryRun === true) {
    const { printableYaml } = await import("../../text/yaml-text.ts");
    return context.out.write(printableYaml(yaml));
  }
  const [{ withAgent }, { applyDocuments, printApplied, printFailures }] = await Promise.all([
    import("./agent-access.ts"),
    import("./apply-documents.ts"),
  ]);
  await withAgent(context, written.options, async (agent) => {
    const files = [{ name: "the command line", text: yaml }];
    const report = await applyDocuments(agent, files, { waitMs: options.wait });
    const ids = new Set(report.attachments.flatMap(({ wireId }) => wireId ?? []));
    const [{ askStatus }, { meshView }] = await Promise.all([
      import("./ask-status.ts"),
      import("./mesh-view.ts"),
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

function withoutAbsent(document: object): object {
  return Object.fromEntries(Object.entries(document).filter(([, value]) => value !== undefined));
}
