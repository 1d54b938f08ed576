/**
 * The `wire` program on devices. Two ways, because they cost and hold differently:
 *
 * - a device of the host shares the block of all of them (netlink/ingress-block.ts): microseconds, no pin
 * - a device in a workload's namespace gets a pinned tcx link, which root in there cannot take off: 8-20 ms
 */
import { setTimeout as delay } from "node:timers/promises";
import { KernelError, type Program } from "../kernel/kernel.ts";
import type { Attachment, Datapath } from "./bpf/datapath.ts";
import type { Link } from "./netlink/link-decode.ts";
import * as k from "./netlink/constants.ts";
import {
  addBlockFilter,
  addIngressBlock,
  deleteIngressBlock,
  INGRESS_BLOCK,
} from "./netlink/ingress-block.ts";
import { decodeQdisc, getQdisc } from "./netlink/qdisc.ts";
import { ABSENT } from "./object-requests.ts";
import type { Place, Places } from "./place.ts";
import { attachmentOf } from "./programs.ts";
import { type Job, restate } from "./refuse.ts";
import type { Transaction } from "./transaction.ts";

const ATTACH_ATTEMPTS = 100;
const ATTACH_PAUSE_MS = 2;

export interface ProgramContext {
  readonly places: Places;
  readonly transaction: Transaction;
  /** Opens the datapath, and mounts the bpffs for it if need be. */
  readonly datapath: () => Datapath;
}

/** A program of a batch, the device it is on, and how to find its target. */
export interface ProgramJob extends Job {
  readonly object: Program;
  readonly place: Place;
  readonly link: Link;
  readonly indexOf: (name: string) => number | undefined;
}

export class ProgramOperations {
  readonly #context: ProgramContext;

  constructor(context: ProgramContext) {
    this.#context = context;
  }

  async run(job: ProgramJob): Promise<void> {
    const { operation, object } = job;
    const datapath = this.#context.datapath();
    const wanted = this.#attachment(job, object);
    const isHost = job.place === this.#context.places.find("host");
    switch (operation.verb) {
      case "add":
        if (isHost) return this.#bind(job, datapath, wanted);
        return await this.#attach(job, datapath, wanted);
      case "change":
        return this.#redirect(job, datapath, wanted);
      case "remove":
      default:
        if (isHost) return this.#unbind(job, datapath, wanted);
        return this.#detach(job, datapath, wanted);
    }
  }

  #attachment(job: ProgramJob, program: Program): Attachment {
    return attachmentOf(job, { place: job.place, index: job.link.index }, program, job.indexOf);
  }

  /** What it did before is read from the map: the device that it led to may be gone, and with it its name. */
  #redirect(job: ProgramJob, datapath: Datapath, wanted: Attachment): void {
    this.#direct(job, () => {
      const { ifindex } = wanted;
      const before = datapath.action(ifindex);
      datapath.change(wanted);
      return () => {
        if (before) datapath.change({ ifindex, ...before });
      };
    });
  }

  /** The entry first, so that the program knows the device when it begins to run there. */
  #bind(job: ProgramJob, datapath: Datapath, wanted: Attachment): void {
    const { place, number } = job;
    this.#direct(job, () => {
      datapath.bind(wanted, () => !hasIngressBlock(place, wanted.ifindex));
      return () => datapath.unbind(wanted.ifindex);
    });
    this.#context.transaction.enqueue(place, {
      operation: number,
      request: addIngressBlock(wanted.ifindex),
      undo: deleteIngressBlock(wanted.ifindex),
    });
    // The block, and with it the filter, lives from its first device to its last.
    this.#context.transaction.enqueue(place, {
      operation: number,
      request: addBlockFilter(datapath.program, { replaces: false }),
      absent: ["EEXIST"],
    });
  }

  /** The device is closed before the program is gone. */
  #unbind(job: ProgramJob, datapath: Datapath, wanted: Attachment): void {
    const { place, number } = job;
    const before = datapath.action(wanted.ifindex);
    this.#direct(job, () => {
      datapath.unbind(wanted.ifindex);
      return () => {
        if (before) datapath.bind({ ifindex: wanted.ifindex, ...before }, () => true);
      };
    });
    // The block may have gone with its last device.
    this.#context.transaction.onRollBack(() =>
      place.socket.change(addBlockFilter(datapath.program, { replaces: false })),
    );
    this.#context.transaction.enqueue(place, {
      operation: number,
      request: deleteIngressBlock(wanted.ifindex),
      undo: addIngressBlock(wanted.ifindex),
      absent: [...ABSENT, "EINVAL"],
    });
  }

  /** The kernel takes a few milliseconds to let go of a program that was just taken off. */
  async #attach(job: ProgramJob, datapath: Datapath, wanted: Attachment): Promise<void> {
    await this.#context.transaction.flush();
    for (let attempt = 1; ; attempt++) {
      try {
        this.#direct(job, () => {
          datapath.attach(wanted);
          return () => datapath.detach(wanted.name);
        });
        return;
      } catch (error) {
        const isTaken = error instanceof KernelError && error.errno === "EEXIST";
        if (!isTaken || attempt === ATTACH_ATTEMPTS) throw error;
        if (datapath.list().some(({ name, ifindex }) => name === wanted.name && ifindex !== 0)) throw error;
        await delay(ATTACH_PAUSE_MS);
      }
    }
  }

  /** What is not attached is fine, and does not come back with the undo. */
  #detach(job: ProgramJob, datapath: Datapath, { ifindex, name }: Attachment): void {
    const before = datapath.action(ifindex);
    if (!before) return;
    this.#direct(job, () => {
      datapath.detach(name);
      return () => attachAgain(datapath, { ifindex, name, ...before });
    });
  }

  /** Does something inside of the namespace that is no netlink message, and notes how it is undone. */
  #direct(job: ProgramJob, action: () => () => void): void {
    try {
      const undo = job.place.run(action);
      this.#context.transaction.onRollBack(() => job.place.run(undo));
    } catch (error) {
      throw restate(job, error);
    }
  }
}

/** For an undo, which does not wait by letting others run: the kernel may not have let go of the program yet. */
function attachAgain(datapath: Datapath, wire: Attachment): void {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (let attempt = 1; ; attempt++) {
    try {
      datapath.attach(wire);
      return;
    } catch (error) {
      const isTaken = error instanceof KernelError && error.errno === "EEXIST";
      if (!isTaken || attempt === ATTACH_ATTEMPTS) throw error;
      Atomics.wait(pause, 0, 0, ATTACH_PAUSE_MS);
    }
  }
}

/** Whether what enters a device of the host passes the program. */
export function hasIngressBlock(place: Place, linkIndex: number): boolean {
  const qdisc = place.socket.get(getQdisc(linkIndex, k.TC_H_CLSACT), decodeQdisc, [
    "ENOENT",
    "EINVAL",
    "ENODEV",
  ]);
  return qdisc?.ingressBlock === INGRESS_BLOCK;
}
