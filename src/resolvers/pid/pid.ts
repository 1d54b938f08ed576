/** The network namespace of a process. */
import { NetloomError } from "../../errors/errors.ts";
import type { HeldProcess } from "../../kernel/processes.ts";
import type { Found, Lookout, Outside, Resolver } from "../resolver.ts";

/** Interval of checks: a process may end while its namespace still exists. */
const CHECK_MS = 500;

export const pid: Readonly<Resolver<number>> = {
  type: "pid",
  form: "number",
  leadsTo: "netns",
  about: "by a process in it",
  schema: (z) =>
    z
      .int({ error: "expected the number of a process" })
      .min(1, "processes are numbered from 1")
      .max(4_194_304, "Linux numbers processes up to 4194304"),
  problem: () => undefined,
  key: (number) => `pid ${number}`,
  text: (number) => `pid ${number}`,
  label: (number) => `pid-${number}`,
  spellings: [
    {
      form: () => "pid:4711",
      read: (text) => {
        const digits = /^(?:pid:)?([1-9]\d{0,9})$/.exec(text)?.[1];
        return digits === undefined ? undefined : { value: Number(digits) };
      },
    },
  ],
  folders: [],
  watch: (number, outside) => new ProcessLookout(number, outside),
};

class ProcessLookout implements Lookout {
  readonly checkMs = CHECK_MS;
  isOver = false;
  readonly #number: number;
  readonly #outside: Outside;
  #process: HeldProcess | undefined;

  constructor(number: number, outside: Outside) {
    this.#number = number;
    this.#outside = outside;
  }

  /** Holds the process, resolves it, then checks that it is alive: so its number cannot belong to another process. */
  async look(): Promise<Found> {
    const { kernel, processes } = this.#outside;
    // Another look might find a new process with the same number.
    if (this.isOver) throw new NetloomError("NOT_FOUND", `process ${this.#number} has ended`);
    const held = (this.#process ??= await processes.hold(this.#number));
    const identity = held.isAlive() ? await kernel.resolve(`file:///proc/${this.#number}/ns/net`) : undefined;
    if (identity && held.isAlive()) return { type: "netns", identity };
    this.close();
    // Another process with this number is another workload, even if this one was seen only briefly.
    this.isOver = true;
    throw new NetloomError("NOT_FOUND", `process ${this.#number} has ended`);
  }

  close(): void {
    this.#process?.release();
    this.#process = undefined;
  }
}
