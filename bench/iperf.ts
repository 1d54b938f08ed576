/** iperf3 in namespaces: one server each that stays, one client at a time, both on processors of their own. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { pathOf } from "./bed.ts";

/** The same on both sides of a comparison, so that no run is lucky with its place. */
const CLIENT_CPU = 0;
const SERVER_CPU = 1;

/** What of iperf3's report is read. TCP has both sums; the packets of UDP are counted by its receiver in `sum`. */
interface Report {
  readonly error?: string;
  readonly end: {
    readonly sum?: Sum;
    readonly sum_sent?: Sum;
    readonly sum_received?: Sum;
  };
}

interface Sum {
  readonly seconds: number;
  readonly bytes: number;
  readonly packets?: number;
  readonly lost_packets?: number;
}

export type Traffic = "tcp" | "udp64";

export interface Run {
  /** Where the client is. */
  readonly netns: string;
  /** An address of the server's namespace. */
  readonly address: string;
  readonly traffic: Traffic;
  /** How much the sender sends. */
  readonly bytes: number;
}

export class IperfServer {
  readonly #process: ChildProcess;
  /** Text of the server, which says whenever it is ready for the next client. */
  readonly #output: AsyncIterator<unknown>;

  constructor(netns: string) {
    const { process, output } = spawnIn(netns, SERVER_CPU, ["--server", "--forceflush"]);
    this.#process = process;
    this.#output = output[Symbol.asyncIterator]();
  }

  /** One run. Returns what the receiver got a second: bits of TCP, or packets of 64 bytes. */
  async run({ netns, address, traffic, bytes }: Run): Promise<number> {
    await this.#ready();
    const args = ["--client", address, "--json", "--bytes", String(bytes)];
    if (traffic === "udp64") args.push("--udp", "--length", "64", "--bitrate", "0");
    const { output } = spawnIn(netns, CLIENT_CPU, args);
    let text = "";
    for await (const part of output) text += String(part);
    const { error, end } = JSON.parse(text) as Report;
    if (error !== undefined) throw new Error(`iperf3 from ${netns} to ${address}: ${error}`);
    if (traffic === "tcp") return rate(end.sum_received, (sum) => 8 * sum.bytes);
    return rate(end.sum, ({ packets = 0, lost_packets = 0 }) => packets - lost_packets);
  }

  async stop(): Promise<void> {
    const ended = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await ended;
  }

  async #ready(): Promise<void> {
    for (;;) {
      const { value, done = false } = await this.#output.next();
      if (done) throw new Error("the server of iperf3 has ended");
      if (String(value).includes("listening")) return;
    }
  }
}

function rate(sum: Sum | undefined, amount: (sum: Sum) => number): number {
  if (!sum || sum.seconds <= 0) throw new Error("iperf3 reports no run");
  return amount(sum) / sum.seconds;
}

/** It dies with this process. */
function spawnIn(
  netns: string,
  cpu: number,
  args: readonly string[],
): { process: ChildProcess; output: Readable } {
  const enter = ["nsenter", `--net=${pathOf(netns)}`, "setpriv", "--pdeathsig", "KILL"];
  const [command = "", ...rest] = [...enter, "taskset", "--cpu-list", String(cpu), "iperf3", ...args];
  const process = spawn(command, rest, { stdio: ["ignore", "pipe", "inherit"] });
  return { process, output: process.stdout };
}
