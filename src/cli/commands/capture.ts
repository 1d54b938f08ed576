import { type Command, InvalidArgumentError } from "commander";
import type { CaptureReply } from "../../api/gen/netloom/admin/v1/admin_pb.js";
import { NetloomError } from "../../errors/errors.ts";
import { describe, option, type CommandContext } from "../command.ts";
import { addAgentOptions, type AgentChoice } from "../mesh/agent-options.ts";
import type { CaptureFile } from "../mesh/capture-file.ts";
import { wholeNumber } from "../whole-number.ts";

interface Options extends AgentChoice {
  readonly count?: number;
  readonly seconds?: number;
  readonly snapLength: number;
  readonly buffer: number;
}

export function captureCommand(context: CommandContext): Command {
  return addAgentOptions(
    describe({
      name: "capture",
      description:
        "Writes the frames of a wire, or of all current wires of a workload, to standard output as pcapng, for Wireshark, " +
        "tshark and tcpdump. It captures both directions at the wire's end on the agent's host. The comment of a frame names its wire and " +
        "direction. The capture ends with Ctrl-C, --count or --seconds, and reports lost frames on stderr. The filter is a part of " +
        "tcpdump's language: host A, net P, port N, tcp, udp, icmp, icmp6, arp, not, and, or, ( ); and and or have the same precedence, " +
        "from left to right. Exit code: 1 if the wire or its workload disappears before the end.",
      examples: [
        { command: "netloom capture web/to-db > wire.pcapng", about: "until Ctrl-C" },
        {
          command: "netloom capture web/to-db | wireshark -k -i -",
          about: "live",
        },
        {
          command: "netloom capture web-db -c 10 'tcp and (port 80 or port 443)' | tcpdump -n -r -",
          about: "ten frames of the wire of an attachment",
        },
        {
          command: "netloom capture web host 10.9.0.2 --seconds 30 > web.pcapng",
          about: "all wires of a workload, each as an interface of the file",
        },
      ],
    }),
  )
    .argument(
      "<wire>",
      "workload/device, host/workload/device, a port, an attachment or the id of a wire; or a workload",
    )
    .argument("[filter...]", "the frames to capture (default: all)")
    .addOption(option("-c, --count <number>", "end after this number of frames").argParser(wholeNumber))
    .addOption(
      option("--seconds <number>", "end after this number of seconds, at most a week").argParser(seconds),
    )
    .addOption(
      option("--snap-length <bytes>", "most bytes of each frame").argParser(wholeNumber).default(262_144),
    )
    .addOption(
      option("--buffer <KiB>", "buffer in the kernel for the frames of each wire")
        .argParser(wholeNumber)
        .default(4_096),
    )
    .action(async (of: string, words: readonly string[], options: Options) => {
      if (context.out.terminal)
        throw new NetloomError("INVALID_ARGUMENT", `capture ${of}: what it writes is not for a terminal`, {
          hint: "send it to a file (> wire.pcapng) or a program (| wireshark -k -i -, | tcpdump -n -r -)",
        });
      await captureInto(context, { of, filter: words.join(" "), options });
    });
}

/** The longest capture, because timers are limited to 24 days. */
const WEEK_SECONDS = 604_800;

function seconds(text: string): number {
  const number = wholeNumber(text);
  if (number <= WEEK_SECONDS) return number;
  throw new InvalidArgumentError(`It is at most ${WEEK_SECONDS}.`);
}

async function captureInto(
  context: CommandContext,
  { of, filter, options }: { readonly of: string; readonly filter: string; readonly options: Options },
): Promise<void> {
  const [{ withAgent }, { create }, { Agent, CaptureRequestSchema }, { CaptureFile: File }, { versions }] =
    await Promise.all([
      import("../mesh/agent-access.ts"),
      import("@bufbuild/protobuf"),
      import("../../api/gen/netloom/admin/v1/admin_pb.js"),
      import("../mesh/capture-file.ts"),
      import("./version.ts"),
    ]);
  const { count = Infinity, seconds: lastsSeconds, snapLength: snapBytes, buffer } = options;
  const request = create(CaptureRequestSchema, { of, filter, snapBytes, bufferBytes: buffer * 1024 });
  const application = `netloom ${versions().version}`;
  const file = new File({ application, snapBytes, filter, limit: count, nowMs: () => Date.now() });
  const ends = [
    context.audience,
    ...(lastsSeconds === undefined ? [] : [AbortSignal.timeout(lastsSeconds * 1000)]),
  ];
  const end = AbortSignal.any(ends);
  let isCutShort = false;
  try {
    await withAgent(context, options, async (agent) => {
      const replies = agent.watch(Agent.method.capture, request);
      end.addEventListener("abort", () => replies.close());
      for await (const reply of replies) {
        await write(context, file.add(reply), end);
        isCutShort ||= reply.ended !== "";
        tell(context, file, reply);
        if (end.aborted || file.isFull) break;
      }
    });
  } catch (error) {
    // Ctrl-C is the normal end of a capture.
    if (error !== context.signal.reason) throw error;
  }
  await write(context, file.end(), end);
  for (const line of file.summary()) context.err.line(line);
  context.setExitCode(isCutShort && !end.aborted && !file.isFull ? 1 : 0);
}

/**
 * Writes at the speed of the reader, so that the agent captures no more than is read. At the end it does not wait for
 * the reader.
 */
async function write(
  { out }: CommandContext,
  blocks: readonly Uint8Array[],
  end: AbortSignal,
): Promise<void> {
  if (blocks.length === 0) return;
  const written = out.bytes(Buffer.concat(blocks));
  if (end.aborted) return;
  const { promise: over, resolve } = Promise.withResolvers<void>();
  const stop = (): void => resolve();
  end.addEventListener("abort", stop);
  await Promise.race([written, over]);
  end.removeEventListener("abort", stop);
}

function tell({ err }: CommandContext, file: CaptureFile, { ends, end, ended }: CaptureReply): void {
  if (ends.length > 0) err.line(`capturing ${ends.map(({ name }) => name).join(", ")}; Ctrl-C ends it`);
  if (ended !== "") err.line(`${file.nameOf(end)}: the capture ended: ${ended}`);
}
