/**
 * iperf3 in namespaces: a permanent server in each, one client at a time, client and server pinned to different processors.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { readdirSync, readFileSync } from "node:fs";
import { pathOf } from "./bed.ts";

/** The same on both sides of a comparison, so that no run profits from its processor. */
const CLIENT_CPU = 0;
const SERVER_CPU = 1;

/** The parts of iperf3's report that are read. TCP has both sums; for UDP the receiver counts packets in `sum`. */
interface Report {
  readonly error?: string;
  readonly end: {
    readonly sum?: Sum;
    readonly sum_sent?: Sum;
    readonly sum_received?: Sum;
    /** From getrusage(2) of either side, in percent of the run's time. */
    readonly cpu_utilization_percent: { readonly host_total: number; readonly remote_total: number };
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
  /** Namespace of the client. */
  readonly netns: string;
  /** An address of the server's namespace. */
  readonly address: string;
  readonly traffic: Traffic;
  /** Bytes to send. */
  readonly bytes: number;
}

/** The amount received: bits of TCP, or packets of 64 bytes. */
export interface Rates {
  readonly perSecond: number;
  /** For each second of processor time of the sender, the receiver and the kernel's softirq threads together. */
  readonly perCpuSecond: number;
}

export class IperfServer {
  readonly #process: ChildProcess;
  /** Output of the server, which has a line whenever it is ready for the next client. */
  readonly #output: AsyncIterator<unknown>;

  constructor(netns: string) {
    const { process, output } = spawnIn(netns, SERVER_CPU, ["--server", "--forceflush"]);
    this.#process = process;
    this.#output = output[Symbol.asyncIterator]();
  }

  async run({ netns, address, traffic, bytes }: Run): Promise<Rates> {
    await this.#ready();
    const args = ["--client", address, "--json", "--bytes", String(bytes)];
    if (traffic === "udp64") args.push("--udp", "--length", "64", "--bitrate", "0");
    const before = softirqSeconds();
    const { output } = spawnIn(netns, CLIENT_CPU, args);
    let text = "";
    for await (const part of output) text += String(part);
    const softirqs = softirqSeconds() - before;
    const { error, end } = JSON.parse(text) as Report;
    if (error !== undefined) throw new Error(`iperf3 from ${netns} to ${address}: ${error}`);
    const sum = traffic === "tcp" ? end.sum_received : end.sum;
    if (!sum || sum.seconds <= 0) throw new Error("iperf3 reports no run");
    const { bytes: received, packets = 0, lost_packets: lost = 0, seconds } = sum;
    const amount = traffic === "tcp" ? 8 * received : packets - lost;
    const { host_total: sender, remote_total: receiver } = end.cpu_utilization_percent;
    const cpuSeconds = ((sender + receiver) / 100) * seconds + softirqs;
    return { perSecond: amount / seconds, perCpuSecond: amount / cpuSeconds };
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

/** The kernel's threads that run softirqs. Empty in a PID namespace, where they are not visible. */
const SOFTIRQ_THREADS = readdirSync("/proc").filter(
  (pid) => /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/comm`, "utf8").startsWith("ksoftirqd/"),
);

/** Seconds that these threads have run: sched-stats, "/proc/<pid>/schedstat". */
function softirqSeconds(): number {
  return SOFTIRQ_THREADS.reduce(
    (sum, pid) => sum + Number(readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ")[0]) / 1e9,
    0,
  );
}

/** Starts iperf3 in a namespace; it dies with this process. */
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
