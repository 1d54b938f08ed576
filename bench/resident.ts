/** A process that does nothing in a namespace: its /proc shows the namespace to others without entering it. */
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync, readlinkSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { pathOf } from "./bed.ts";

const POLL_MS = 10;

export class Resident {
  readonly netns: string;
  /** Resolves when the process is in the namespace. */
  readonly started: Promise<void>;
  readonly #child: ChildProcess;

  private constructor(netns: string, child: ChildProcess) {
    this.netns = netns;
    this.#child = child;
    this.started = this.#arrive();
  }

  /** Starts the process in a namespace of the ground. It dies with this process. */
  static start(netns: string): Resident {
    const inside = ["--pdeathsig", "KILL", "nsenter", `--net=${pathOf(netns)}`, "sleep", "infinity"];
    return new Resident(netns, spawn("setpriv", inside, { stdio: "ignore" }));
  }

  /** Names of all devices in the namespace except `lo`. */
  devices(): string[] {
    const lines = readFileSync(`/proc/${this.#child.pid}/net/dev`, "utf8").split("\n").slice(2);
    return lines.flatMap((line) => /^ *([^:]+):/.exec(line)?.[1] ?? []).filter((name) => name !== "lo");
  }

  /** Resolves when there is no device except `lo`. */
  async untilEmpty(): Promise<void> {
    while (this.devices().length > 0) await sleep(POLL_MS);
  }

  stop(): void {
    this.#child.kill("SIGKILL");
  }

  async #arrive(): Promise<void> {
    const here = readlinkSync("/proc/self/ns/net");
    while (readlinkSync(`/proc/${this.#child.pid}/ns/net`) === here) await sleep(POLL_MS);
  }
}
