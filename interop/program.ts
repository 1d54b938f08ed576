/** A process of a test, with lines of JSON in and out. */
import { spawn, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";

const GRACE_MS = 10_000;
const KEPT_LINES = 200;

export interface ProgramOptions {
  /** Name for messages. */
  readonly name: string;
  /** Name of its namespace for `ip netns`. */
  readonly netns?: string | undefined;
  readonly argv: readonly string[];
  readonly onLine: (line: unknown) => void;
}

/** Ends with the test, and adds its output to the test's if the test fails. */
export class Program {
  readonly #child: ChildProcess;
  readonly #said: string[] = [];
  readonly ended: Promise<void>;

  constructor(t: TestContext, { name, netns, argv, onLine }: ProgramOptions) {
    const [file = "", ...rest] = netns === undefined ? argv : ["ip", "netns", "exec", netns, ...argv];
    this.#child = spawn(file, rest, {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, UV_THREADPOOL_SIZE: "32", GOMAXPROCS: "2" },
    });
    const { stdout, stderr, stdin } = this.#child;
    if (!stdout || !stderr || !stdin) throw new TypeError("the streams of a child are pipes");
    // The process may have ended when it is written to.
    stdin.on("error", () => undefined);
    createInterface({ input: stdout }).on("line", (line) => onLine(JSON.parse(line)));
    createInterface({ input: stderr }).on("line", (line) => {
      if (/\[(INFO|WARN)\]/.test(line)) return;
      this.#said.push(line);
      if (this.#said.length > KEPT_LINES) this.#said.shift();
    });
    this.ended = new Promise((resolve, reject) => {
      this.#child.once("error", reject);
      this.#child.once("close", () => resolve());
    });
    t.after(async () => {
      await this.stop();
      for (const line of this.#said) t.diagnostic(`${name}: ${line.slice(0, 300)}`);
    });
  }

  send(line: object): void {
    this.#child.stdin?.write(`${JSON.stringify(line)}\n`);
  }

  /** Kills the process, as if its host had lost it. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.ended;
  }

  /** Lets the process end by itself; kills it if it does not. */
  async stop(): Promise<void> {
    this.#child.stdin?.end();
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), GRACE_MS);
    await this.ended;
    clearTimeout(timer);
  }
}
