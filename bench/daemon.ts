/** `netloom registry` and `netloom agent` as processes of a bench, with their resource usage. */
import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { pathOf } from "./bed.ts";

export const NETLOOM: string = fileURLToPath(new URL("../bin/netloom", import.meta.url));

const KEPT_LINES = 20;
const END_WAIT_MS = 10_000;

/** Memory of a process in MB (10^6 bytes), proc_pid_smaps(5). */
export interface Memory {
  /** Pages shared by several processes count in part for each. */
  readonly pssMb: number;
  /** Pages that no other process shares: memory that would be free without this process. */
  readonly ownMb: number;
}

export class Daemon {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #said: string[] = [];

  private constructor(name: string, child: ChildProcess) {
    this.name = name;
    this.#child = child;
  }

  /**
   * Starts `netloom …args` in a namespace of the ground. Resolves when it serves. It is killed whenever this process ends.
   */
  static async start(netns: string, args: readonly string[]): Promise<Daemon> {
    const inside = ["--pdeathsig", "KILL", "nsenter", `--net=${pathOf(netns)}`, NETLOOM, ...args];
    const child = spawn("setpriv", inside, { stdio: ["ignore", "pipe", "pipe"] });
    const daemon = new Daemon(`${args[0]} in ${netns}`, child);
    const { stdout, stderr } = child;
    if (!stdout || !stderr) throw new TypeError("the streams of a child are pipes");
    createInterface({ input: stderr }).on("line", (line) => {
      daemon.#said.push(line);
      if (daemon.#said.length > KEPT_LINES) daemon.#said.shift();
    });
    await new Promise<void>((resolve, reject) => {
      const fail = (): void => reject(new Error(`${daemon.name} has ended:\n${daemon.#said.join("\n")}`));
      child.once("error", reject);
      child.once("close", fail);
      createInterface({ input: stdout }).once("line", () => resolve());
    });
    return daemon;
  }

  /** Its last log lines. */
  get said(): readonly string[] {
    return this.#said;
  }

  /** Processor time used by all threads, in milliseconds. */
  cpuMs(): number {
    const tasks = readdirSync(`/proc/${this.#child.pid}/task`);
    // Nanoseconds; /proc/PID/stat would have ticks of 10 ms.
    const used = tasks.map((task) =>
      Number(readFileSync(`/proc/${this.#child.pid}/task/${task}/schedstat`, "utf8").split(" ")[0]),
    );
    return used.reduce((sum, each) => sum + each, 0) / 1e6;
  }

  memory(): Memory {
    const text = readFileSync(`/proc/${this.#child.pid}/smaps_rollup`, "utf8");
    const kib = (name: string): number => Number(new RegExp(`^${name}: +(\\d+)`, "m").exec(text)?.[1]);
    const mb = (name: string): number => (kib(name) * 1024) / 1e6;
    return { pssMb: mb("Pss"), ownMb: mb("Private_Clean") + mb("Private_Dirty") };
  }

  descriptors(): number {
    return readdirSync(`/proc/${this.#child.pid}/fd`).length;
  }

  /** Ends the daemon like `kill -9`. */
  async kill(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once("close", resolve));
    this.#child.kill("SIGKILL");
    await ended;
  }

  /** Ends the daemon with SIGTERM; with SIGKILL if it is still there after 10 s. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once("close", resolve));
    this.#child.kill("SIGTERM");
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), END_WAIT_MS);
    await ended;
    clearTimeout(timer);
  }
}
