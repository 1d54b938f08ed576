/**
 * Collects the netlink messages of a batch, and undoes them if the batch fails. Adjacent messages for one namespace are
 * sent together. The kernel processes all messages of a send, even those after a refused one: their effects are undone,
 * too.
 */
import type { Ack } from "../netlink/message-reader.ts";
import type { NetnsPlace } from "../namespaces/place.ts";
import type { Reaper } from "./reaper.ts";
import { errnoName } from "../libc/syscall.ts";

/** Errnos for the removal of an absent object. */
export const ABSENT: readonly string[] = ["ESRCH", "ENOENT", "ENODEV", "EADDRNOTAVAIL"];

export interface BatchStep {
  /** Number of the operation that the step belongs to. */
  readonly operation: number;
  readonly request: Uint8Array;
  /** The message that undoes the step. */
  readonly undo?: Uint8Array;
  /** Errnos that mean that nothing is to be done. */
  readonly absent?: readonly string[];
  /** Called after EEXIST: returns another request if the existing object is harmless. */
  readonly instead?: () => Uint8Array | undefined;
  /**
   * Called when the kernel has done the step. Places are processed one after the other, whatever the order of operations.
   */
  readonly onDone?: () => void;
}

/** The kernel has refused a step. */
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

  /** Queues a step for the next `flush`, which sends all steps of a place together. */
  enqueue(place: NetnsPlace, step: BatchStep): void {
    const queue = this.#queues.get(place);
    if (queue) queue.push(step);
    else this.#queues.set(place, [step]);
  }

  /** Registers the undo of an action done without `enqueue`. */
  onRollBack(undo: () => void): void {
    this.#undo.push(undo);
  }

  /** Registers an action for `commit`, when the batch has succeeded. */
  onCommit(action: () => void): void {
    this.#commit.push(action);
  }

  /** Sends the queued steps. Throws the `NetlinkRefused` of the first operation that the kernel refuses. */
  async flush(): Promise<void> {
    const queues = [...this.#queues];
    this.#queues.clear();
    for (const [place, steps] of queues) {
      let refused = this.#send(place, steps);
      // The conflicting object may be under deletion.
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

  /** Undoes everything in reverse order. Returns the failures. */
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
      // An absent object needs no undo: setting a link down removes its IPv6 addresses.
      if (ack.errno !== 0 && !ABSENT.includes(errnoName(ack.errno))) throw new NetlinkRefused(operation, ack);
    });
  }
}
