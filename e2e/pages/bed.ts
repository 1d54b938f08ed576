/** A shell in its own namespaces, in which the commands of a page run one after the other, as a reader types them. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { until } from "../../fixtures/async/until.ts";
import type { PageCommand } from "./commands.ts";
import { isShownIn } from "./shape.ts";

const PROJECT = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");

/** Marks the end of a command's output; its exit code follows. */
const END = "\u001eend";

export interface Ran {
  readonly output: string;
  readonly code: number;
}

export class Bed implements AsyncDisposable {
  readonly #shell: ChildProcess;
  #output = "";

  private constructor(shell: ChildProcess) {
    this.#shell = shell;
    for (const stream of [shell.stdout, shell.stderr])
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.#output += text;
      });
  }

  /** Needs root. Everything that runs in it ends with it. */
  static async open(): Promise<Bed> {
    const namespaces = ["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"];
    const shell = spawn("unshare", [...namespaces, "bash", "--norc", "-s"], {
      cwd: PROJECT,
      env: { PATH: process.env["PATH"], HOME: "/root", LC_ALL: "C.UTF-8", PROJECT },
    });
    const bed = new Bed(shell);
    bed.#write("exec 2>&1; . e2e/pages/bed.sh");
    await bed.#ran("true");
    return bed;
  }

  /**
   * Runs a command to its end. A command with a `&` at its end runs on; it is waited for until it has printed what the
   * page shows. The shell does not report the end of such a command.
   */
  async run({ host, command, output }: PageCommand): Promise<Ran> {
    if (!command.endsWith("&")) return await this.#ran(host === undefined ? command : onHost(host, command));
    const inner = command.slice(0, -1).trim();
    this.#output = "";
    this.#write(`{ ${host === undefined ? inner : onHost(host, inner)}\n} </dev/null & disown`);
    await until(() => {
      assert.ok(
        isShownIn(output, this.#output),
        `${command} has not printed what the page shows:\n${this.#output}`,
      );
      return true;
    });
    return { output: this.#output, code: 0 };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#shell.exitCode !== null || this.#shell.signalCode !== null) return;
    this.#shell.kill("SIGKILL");
    await once(this.#shell, "close");
  }

  async #ran(command: string): Promise<Ran> {
    this.#output = "";
    this.#write(`{ ${command}\n} </dev/null; printf '%s %d\\n' '${END}' $?`);
    const end = new RegExp(`${END} (\\d+)\\n`);
    await until(() => {
      assert.ok(end.test(this.#output), `${command} has not ended:\n${this.#output}`);
      return true;
    });
    const [all = "", code = "1"] = end.exec(this.#output) ?? [];
    return { output: this.#output.replace(all, ""), code: Number(code) };
  }

  #write(text: string): void {
    this.#shell.stdin?.write(`${text}\n`);
  }
}

function onHost(host: string, command: string): string {
  return `(on ${host} '${command.replaceAll("'", `'\\''`)}')`;
}
