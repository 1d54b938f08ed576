/** iperf3 in namespaces: one server each that stays, one client at a time, both on processors of their own. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { readdirSync, readFileSync } from "node:fs";
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
    /** Of getrusage(2) of either side, in percent of the time of the run. */
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
  /** Where the client is. */
  readonly netns: string;
  /** An address of the server's namespace. */
  readonly address: string;
  readonly traffic: Traffic;
  /** How much the sender sends. */
  readonly bytes: number;
}

/** What the receiver got: bits of TCP, or packets of 64 bytes. */
export interface Rates {
  readonly perSecond: number;
  /** For each second of a processor that the sender, the receiver and the kernel's threads for softirqs took. */
  readonly perCpuSecond: number;
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

/** The kernel's threads that run softirqs. Empty in a PID namespace, which does not show them. */
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
