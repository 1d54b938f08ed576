/** Processes of a simulated machine: an ID, a namespace, and an end. */
import { NetloomError } from "../../errors/errors.ts";
import type { Netns } from "../../kernel/kernel.ts";
import type { HeldProcess, Processes } from "../../kernel/processes.ts";
import { findNetns, type NetnsMachine } from "./machine.ts";

interface Process {
  isAlive: boolean;
}

export class SimProcesses implements Processes {
  readonly #machine: NetnsMachine;
  readonly #running = new Map<number, Process>();
  #holds = 0;

  constructor(machine: NetnsMachine) {
    this.#machine = machine;
  }

  /** Starts a process in the namespace. ALREADY_EXISTS if the ID is in use. */
  start(pid: number, netns: Netns): void {
    const found = findNetns(this.#machine, netns);
    if (!found) throw new TypeError(`there is no network namespace ${netns}`);
    this.#machine.alias(found, pathOf(pid));
    this.#running.set(pid, { isAlive: true });
  }

  /** Ends the process, and its namespace if no other path leads there. The ID is free. */
  end(pid: number): void {
    const running = this.#running.get(pid);
    if (!running) return;
    running.isAlive = false;
    this.#running.delete(pid);
    this.#machine.unname(pathOf(pid));
  }

  /** The number of held references to processes. */
  get holds(): number {
    return this.#holds;
  }

  hold(pid: number): Promise<HeldProcess> {
    const running = this.#running.get(pid);
    if (!running)
      return Promise.reject(new NetloomError("NOT_FOUND", `hold process ${pid}: there is no such process`));
    let isHeld = true;
    this.#holds += 1;
    return Promise.resolve({
      isAlive: () => isHeld && running.isAlive,
      release: () => {
        if (isHeld) this.#holds -= 1;
        isHeld = false;
      },
    });
  }
}

function pathOf(pid: number): string {
  return `/proc/${pid}/ns/net`;
}
