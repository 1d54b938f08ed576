import type { Command } from "commander";
import type { PingReply } from "../../api/gen/netloom/admin/v1/admin_pb.js";
import type { PathView } from "../../view/told-wire.ts";
import { describe, option, outputOption, type CommandContext } from "../command.ts";
import { addAgentOptions, type AgentChoice } from "../mesh/agent-options.ts";
import type { Format, Output } from "../output.ts";
import { wholeNumber } from "../whole-number.ts";

/** One message of the agent, with the path in the form that the command prints. */
interface Message extends Omit<PingReply, "path"> {
  readonly way: PathView;
}

interface Options extends AgentChoice {
  readonly count: number;
  readonly interval: number;
  readonly timeout: number;
  readonly address?: string;
  readonly output: Format;
}

export function pingCommand(context: CommandContext): Command {
  return addAgentOptions(
    describe({
      name: "ping",
      description:
        "Sends echo requests through a wire, from the end on the agent's host to the other end, and shows their path. " +
        "They leave through the wire's own device, and only answers that arrive there count. At the end it sends a packet " +
        "as large as the wire's MTU, and a packet one byte larger, which has to be refused. " +
        "Exit code: 1 if an answer is missing, if the workload's own packets leave through another device, or if an end of " +
        "the wire has not counted its packets.",
      examples: [
        {
          command: "netloom ping web/nsm-1",
          about: "by workload and device; all addresses of the other end",
        },
        { command: "netloom ping web-db -c 100 -i 10", about: "by the name of its attachment, every 10 ms" },
        {
          command: "netloom ping web-db -o json",
          about:
            '{"wire", "path", "hops", "replies": [{"address", "sequence", "rttMs" or "reason"}], "addresses": [{"address", ' +
            '"sent", "received", "minMs", "avgMs", "maxMs"}], "problems": ["…"]}',
        },
      ],
    }),
  )
    .argument(
      "<wire>",
      "workload/device, host/workload/device, the name of an attachment, or the id of a wire",
    )
    .addOption(option("-c, --count <number>", "packets to each address").argParser(wholeNumber).default(4))
    .addOption(option("-i, --interval <ms>", "time between two packets").argParser(wholeNumber).default(1000))
    .addOption(option("--timeout <ms>", "time to wait for each answer").argParser(wholeNumber).default(1000))
    .addOption(option("--address <ip>", "only this address of the other end"))
    .addOption(outputOption())
    .action(async (wire: string, options: Options) => {
      const messages: Message[] = [];
      const parts = (): Pick<Found, "replies" | "problems"> => ({
        replies: messages.filter(({ address }) => address !== ""),
        problems: messages.flatMap(({ problems }) => problems),
      });
      try {
        await collectReplies(context, { wire, options, messages });
      } finally {
        // After an interrupt: a summary of the messages so far.
        if (messages.length > 0) printSummary(context.out, { wire, ...parts(), format: options.output });
      }
      const { replies, problems } = parts();
      const isWell = replies.length > 0 && replies.every(({ rttMs }) => rttMs !== undefined);
      context.setExitCode(isWell && problems.length === 0 ? 0 : 1);
    });
}

async function collectReplies(
  context: CommandContext,
  {
    wire,
    options,
    messages,
  }: { readonly wire: string; readonly options: Options; readonly messages: Message[] },
): Promise<void> {
  const [{ withAgent }, { pathView }, { create }, { Agent, PingRequestSchema }] = await Promise.all([
    import("../mesh/agent-access.ts"),
    import("../../view/told-wire.ts"),
    import("@bufbuild/protobuf"),
    import("../../api/gen/netloom/admin/v1/admin_pb.js"),
  ]);
  const request = create(PingRequestSchema, {
    wire,
    count: options.count,
    intervalMs: options.interval,
    timeoutMs: options.timeout,
    address: options.address ?? "",
  });
  await withAgent(context, options, async (agent) => {
    const answers = agent.watch(Agent.method.ping, request);
    for await (const reply of answers) {
      const way = pathView(reply.path);
      if (messages.length === 0 && options.output === "text") context.out.line(`${wire}: ${way.path}`);
      messages.push({ ...reply, way });
      if (options.output === "text" && reply.address !== "") context.out.line(replyLine({ ...reply, way }));
    }
  });
}

function replyLine({ address, sequence, rttMs, reason }: Message): string {
  const result = rttMs === undefined ? `no answer (${reason})` : formatMs(rttMs);
  return `  ${address} #${sequence}: ${result}`;
}

interface Summary {
  readonly address: string;
  readonly sent: number;
  readonly received: number;
  readonly minMs?: number;
  readonly avgMs?: number;
  readonly maxMs?: number;
}

interface Found {
  readonly wire: string;
  readonly replies: readonly Message[];
  /** Problems other than missing answers. */
  readonly problems: readonly string[];
}

function printSummary(
  out: Output,
  { wire, replies, problems, format }: Found & { readonly format: Format },
): void {
  const addresses = [...Map.groupBy(replies, ({ address }) => address)].map(summarise);
  if (format === "json") {
    const documents = replies.map(({ address, sequence, rttMs, reason }) => ({
      address,
      sequence,
      ...(rttMs === undefined ? { reason } : { rttMs }),
    }));
    return out.json({
      wire,
      ...(replies[0]?.way ?? { path: "", hops: [] }),
      replies: documents,
      addresses,
      problems,
    });
  }
  for (const { address, sent, received, minMs, avgMs, maxMs } of addresses) {
    const lost = Math.round((100 * (sent - received)) / sent);
    const times =
      minMs === undefined || avgMs === undefined || maxMs === undefined
        ? ""
        : `, min/avg/max ${minMs.toFixed(3)}/${avgMs.toFixed(3)}/${formatMs(maxMs)}`;
    out.line(`${address}  ${sent} sent, ${received} received, ${lost} % lost${times}`);
  }
  for (const problem of problems) out.line(`  ! ${problem}`);
}

function summarise([address, replies]: [string, Message[]]): Summary {
  const times = replies.flatMap(({ rttMs }) => rttMs ?? []);
  const result = { address, sent: replies.length, received: times.length };
  if (times.length === 0) return result;
  const avgMs = times.reduce((sum, time) => sum + time, 0) / times.length;
  return { ...result, minMs: Math.min(...times), avgMs, maxMs: Math.max(...times) };
}

function formatMs(ms: number): string {
  return `${ms.toFixed(3)} ms`;
}
