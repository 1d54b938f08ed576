import type { Command } from "commander";
import { KINDS, kindNamed } from "../../documents/kinds.ts";
import { listed } from "../../text/problem.ts";
import { describe, option, type CommandContext } from "../command.ts";
import type { AgentClient } from "../mesh/agent-access.ts";
import { addAgentOptions, type AgentChoice } from "../mesh/agent-options.ts";
import { table, type Output } from "../output.ts";

interface Options extends AgentChoice {
  readonly output: "text" | "json" | "yaml" | "name";
}

const KIND_NAMES: readonly string[] = KINDS.map(({ names: [name] }) => name);

interface Wanted {
  readonly kind?: string;
  readonly name?: string;
}

export function getCommand(context: CommandContext): Command {
  return addAgentOptions(
    describe({
      name: "get",
      description:
        "Lists the attachments of the agent's host. With services or endpoints as the kind: what the whole mesh offers, " +
        "as the registry of the host shows it. With drops: the packets that the host has dropped, by reason, and the " +
        "senders of unknown tunnel packets; with --lab alone those of all hosts of the lab.",
      examples: [
        { command: "netloom get", about: "every attachment, with its state" },
        {
          command: "netloom get client web-db -o yaml",
          about: "a document with its status; apply accepts it",
        },
        { command: "netloom get services", about: "the services of the mesh, with their endpoints" },
        { command: "netloom get drops", about: "dropped packets, with reasons and senders" },
        {
          command: "netloom get -o json",
          about:
            '{"attachments": [{"kind", "name", "state", "document", …}]}; of services {"services": [{"name", "payload", ' +
            '"endpoints": [{"name", "host", "url"}]}]}; of endpoints {"endpoints": [{"name", "host", "url", "services"}]}; ' +
            'of drops {"drops": [{"host", "reason", "words", "packets", "lastAt"}], ' +
            '"strangers": [{"host", "source", "destination", "port", "vni", "packets"}], "offences": [{"host", "wire", "wireName", "side", "sender", "reason", "packets"}]}',
        },
      ],
    }),
  )
    .argument("[kind]", `${listed([...KIND_NAMES, "services", "endpoints", "drops"])}; or a name`)
    .argument("[attachment]", "a name")
    .addOption(
      option("-o, --output <format>", "output format")
        .choices(["text", "json", "yaml", "name"])
        .default("text"),
    )
    .action(async (first: string | undefined, second: string | undefined, options: Options) => {
      if (first === "drops" && second === undefined) return await showDrops(context, options);
      const { withAgent } = await import("../mesh/agent-access.ts");
      await withAgent(context, options, async (agent) => {
        if (first === "services" || first === "endpoints") {
          await printOffers(context.out, agent, { what: first, name: second, output: options.output });
        } else {
          await printAttachments(context.out, agent, { words: [first, second], output: options.output });
        }
      });
    });
}

async function showDrops(context: CommandContext, options: Options): Promise<void> {
  const [{ allTargets, withAgents }, { printDrops }] = await Promise.all([
    import("../mesh/agent-access.ts"),
    import("../mesh/get-drops.ts"),
  ]);
  await withAgents(context, allTargets(options), (agents) => printDrops(context.out, agents, options.output));
}

async function printAttachments(
  out: Output,
  agent: AgentClient,
  { words, output }: { readonly words: readonly (string | undefined)[]; readonly output: Options["output"] },
): Promise<void> {
  const [{ getAttachments, noSuchAttachment }, { attachmentView }, { askStatus }] = await Promise.all([
    import("../mesh/attachment-names.ts"),
    import("../../view/attachment-view.ts"),
    import("../mesh/ask-status.ts"),
  ]);
  const wanted = await readWords(words);
  const [attachments, [status]] = await Promise.all([getAttachments(agent, wanted), askStatus([agent])]);
  if (attachments.length === 0 && wanted.name !== undefined) throw await noSuchAttachment(agent, wanted.name);
  if (output === "name") {
    for (const { ref } of attachments) out.line(`${ref?.kind}/${ref?.name}`);
    return;
  }
  const views = attachments.map(({ ref, document }) => {
    const known = status?.attachments.find(
      (each) => each.ref?.kind === ref?.kind && each.ref?.name === ref?.name,
    );
    const view = known && attachmentView(status?.host ?? "", known);
    return { kind: ref?.kind ?? "", name: ref?.name ?? "", ...view, document };
  });
  if (output === "yaml") {
    const [{ printableYaml }, { documentWithStatus }] = await Promise.all([
      import("../../text/yaml-text.ts"),
      import("../mesh/document-with-status.ts"),
    ]);
    return out.write(printableYaml(views.map(documentWithStatus).join("---\n")));
  }
  if (output === "json") {
    const { parse } = await import("yaml");
    return out.json({
      attachments: views.map(({ document, ...view }) => ({ ...view, document: parse(document) as unknown })),
    });
  }
  if (views.length === 0) return out.line("no documents on this host; netloom apply -f <file> adds some");
  const rows = views.map((view) => [
    view.kind,
    view.name,
    view.state ?? "-",
    view.workload === undefined ? "-" : `${view.host}/${view.workload}`,
    view.services?.join(" ") || "-",
  ]);
  for (const line of table([["KIND", "NAME", "STATE", "WORKLOAD", "SERVICES"], ...rows])) out.line(line);
}

/** Reads `kind name`, `kind`, `name` or `kind/name`. */
async function readWords([first, second]: readonly (string | undefined)[]): Promise<Wanted> {
  const { parseName } = await import("../mesh/attachment-names.ts");
  if (first === undefined) return {};
  const kind = kindNamed(first)?.kind;
  if (second === undefined) return kind === undefined ? parseName(first) : { kind };
  if (kind !== undefined) return { kind, name: second };
  const { NetloomError } = await import("../../errors/errors.ts");
  throw new NetloomError("INVALID_ARGUMENT", `get ${first}: there is no such kind`, {
    hint: `kinds are ${KIND_NAMES.join(", ")}; services and endpoints list what the mesh offers`,
  });
}

interface Offers {
  readonly what: "services" | "endpoints";
  readonly name: string | undefined;
  readonly output: Options["output"];
}

async function printOffers(out: Output, agent: AgentClient, { what, name, output }: Offers): Promise<void> {
  const [{ create }, { Agent, GraphRequestSchema }] = await Promise.all([
    import("@bufbuild/protobuf"),
    import("../../api/gen/netloom/admin/v1/admin_pb.js"),
  ]);
  const picture = await agent.call(Agent.method.graph, create(GraphRequestSchema));
  const endpoints = picture.endpoints.map(({ name, host, url, services }) => ({ name, host, url, services }));
  const services = picture.services.map(({ name, payload }) => ({
    name,
    payload,
    endpoints: endpoints
      .filter(({ services }) => services.includes(name))
      .map(({ name, host, url }) => ({ name, host, url })),
  }));
  const isWanted = (each: { readonly name: string }): boolean => name === undefined || each.name === name;
  const found = what === "services" ? services.filter(isWanted) : endpoints.filter(isWanted);
  if (found.length === 0 && name !== undefined) {
    const [{ NetloomError }, { didYouMean, quote }] = await Promise.all([
      import("../../errors/errors.ts"),
      import("../../text/problem.ts"),
    ]);
    const near = didYouMean(
      name,
      (what === "services" ? services : endpoints).map((each) => each.name),
    );
    const message = `find ${quote(name)} in the registry: it has no such ${what.slice(0, -1)}${near}`;
    throw new NetloomError("NOT_FOUND", message, {
      topic: what === "services" ? "NL-302" : "NL-303",
      hint: `netloom get ${what} lists all of them`,
    });
  }
  if (output === "json") return out.json({ [what]: found });
  if (output === "yaml") {
    const [{ stringify }, { printableYaml }] = await Promise.all([
      import("yaml"),
      import("../../text/yaml-text.ts"),
    ]);
    return out.write(printableYaml(stringify({ [what]: found })));
  }
  if (output === "name") return found.forEach((each) => out.line(each.name));
  const rows =
    what === "services"
      ? [
          ["SERVICE", "PAYLOAD", "ENDPOINTS"],
          ...services
            .filter(isWanted)
            .map((each) => [
              each.name,
              each.payload,
              each.endpoints.map(({ name }) => name).join(" ") || "none",
            ]),
        ]
      : [
          ["ENDPOINT", "HOST", "URL", "SERVICES"],
          ...endpoints
            .filter(isWanted)
            .map((each) => [each.name, each.host || "-", each.url, each.services.join(" ")]),
        ];
  if (rows.length === 1) return out.line(`the registry has no ${what}`);
  for (const line of table(rows)) out.line(line);
}
