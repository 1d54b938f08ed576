/**
 * Collects the netlink messages of a batch and takes them back when it fails. What is adjacent for one namespace goes in
 * one send. The kernel works off all messages of a send, also those behind a refused one: what it did of them is
 * undone as well.
 */
import type { Ack } from "../netlink/message-reader.ts";
import type { NetnsPlace } from "../namespaces/place.ts";
import type { Reaper } from "./reaper.ts";
import { errnoName } from "../libc/syscall.ts";

/** What an errno says when something is to be removed that is not there. */
export const ABSENT: readonly string[] = ["ESRCH", "ENOENT", "ENODEV", "EADDRNOTAVAIL"];

export interface BatchStep {
  /** Number of the operation that this belongs to. */
  readonly operation: number;
  readonly request: Uint8Array;
  /** What takes it back once it was done. */
  readonly undo?: Uint8Array;
  /** Errnos that mean that there is nothing to do. */
  readonly absent?: readonly string[];
  /** Asked when the kernel says EEXIST: what to do instead, if what exists is in nobody's way. */
  readonly instead?: () => Uint8Array | undefined;
  /** Called when the kernel has done it: places are worked off one after the other, whatever the order of operations. */
  readonly onDone?: () => void;
}

/** The kernel said no to a step. */
export class NetlinkRefused extends Error {
  readonly operation: number;
  readonly errno: string;
  readonly ack: Ack;

  constructor(operation: number, ack: Ack) {
    super(`operation ${operation}: ${errnoName(ack.errno)}`);
    this.operation = operation;
    this.errno = errnoName(ack.errno);
    this.ack = ack;
  }
}

export class Transaction {
  readonly #reaper: Reaper;
  readonly #queues = new Map<NetnsPlace, BatchStep[]>();
  readonly #undo: (() => void)[] = [];
  readonly #commit: (() => void)[] = [];

  constructor(reaper: Reaper) {
    this.#reaper = reaper;
  }

  /** To be sent by the next `flush`, together with the rest for this place. */
  enqueue(place: NetnsPlace, step: BatchStep): void {
    const queue = this.#queues.get(place);
    if (queue) queue.push(step);
    else this.#queues.set(place, [step]);
  }

  /** Notes how something is taken back that was just done without `enqueue`. */
  onRollBack(undo: () => void): void {
    this.#undo.push(undo);
  }

  /** Called by `commit`, when the batch has succeeded. */
  onCommit(action: () => void): void {
    this.#commit.push(action);
  }

  /** Sends what is queued. Throws the `NetlinkRefused` of the first operation that the kernel refuses. */
  async flush(): Promise<void> {
    const queues = [...this.#queues];
    this.#queues.clear();
    for (const [place, steps] of queues) {
      let refused = this.#send(place, steps);
      // What is in the way may be about to go.
      const blocked = refused.filter(({ ack }) => errnoName(ack.errno) === "EEXIST");
      if (blocked.length > 0 && (await this.#reaper.waitFor([place.identity])))
        refused = [
          ...refused.filter((one) => !blocked.includes(one)),
          ...this.#send(
            place,
            blocked.map(({ step }) => step),
          ),
        ];
      const first = refused.sort((a, b) => a.step.operation - b.step.operation)[0];
      if (first) throw new NetlinkRefused(first.step.operation, first.ack);
    }
  }

  commit(): void {
    for (const action of this.#commit) action();
  }

  /** Takes back all that was done, in reverse. Returns what could not be. */
  rollBack(): unknown[] {
    this.#queues.clear();
    const failures: unknown[] = [];
    for (const undo of this.#undo.splice(0).reverse()) {
      try {
        undo();
      } catch (error) {
        failures.push(error);
      }
    }
    return failures;
  }

  #send(place: NetnsPlace, steps: readonly BatchStep[]): { step: BatchStep; ack: Ack }[] {
    const acks = place.socket.changes(steps.map((step) => step.request));
    const refused: { step: BatchStep; ack: Ack }[] = [];
    for (const [i, step] of steps.entries()) {
      let ack = acks[i] ?? { errno: 0 };
      const instead = errnoName(ack.errno) === "EEXIST" ? step.instead?.() : undefined;
      if (instead) ack = place.socket.change(instead);
      if (ack.errno === 0) this.#done(place, step);
      else if (!step.absent?.includes(errnoName(ack.errno))) refused.push({ step, ack });
    }
    return refused;
  }

  #done(place: NetnsPlace, { operation, undo, onDone }: BatchStep): void {
    onDone?.();
    if (!undo) return;
    this.onRollBack(() => {
      const ack = place.socket.change(undo);
      // What is not there any more needs no undo: an IPv6 address goes by itself with a link that is set down.
      if (ack.errno !== 0 && !ABSENT.includes(errnoName(ack.errno))) throw new NetlinkRefused(operation, ack);
    });
  }
}
