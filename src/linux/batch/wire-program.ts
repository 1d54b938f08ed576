/**
 * The `wire` program on a device, as a step of a batch. The two ways of attaching differ in cost and strength:
 *
 * - A device in `host` joins the shared block of all devices there (netlink/ingress-block.ts): microseconds, no pin.
 * - A device in a workload's namespace gets a pinned tcx link, which root in there cannot detach: 8-20 ms.
 * - A borrowed device gets one too: a link changes nothing of the device, while a qdisc would add to its owner's qdiscs.
 */
import { setTimeout as delay } from "node:timers/promises";
import { KernelError, type OnLink } from "../../kernel/kernel.ts";
import type { Attachment, Datapath } from "../bpf/datapath.ts";
import { hasIngressBlock, pinName } from "../bpf/programs.ts";
import type { WireVerdict } from "../bpf/wire-map.ts";
import { addBlockFilter, addIngressBlock, deleteIngressBlock } from "../netlink/ingress-block.ts";
import type { NetnsPlace } from "../namespaces/place.ts";
import type { BatchTools } from "../object-kind.ts";
import { type Job, refuseStep } from "./refuse.ts";
import { ABSENT } from "./transaction.ts";

/** Two seconds: a busy kernel takes a while to release a program. */
const ATTACH_ATTEMPTS = 1_000;
const ATTACH_PAUSE_MS = 2;

/** The device of a program, and its index if it is a borrowed one. */
export interface ProgramPlace extends OnLink {
  readonly index?: number;
}

/** A program of a batch, and its device. */
export interface WireTask {
  readonly number: number;
  readonly place: NetnsPlace;
  /** Attached by the shared block of the host's devices. */
  readonly isShared: boolean;
  readonly datapath: Datapath;
  readonly wanted: Attachment;
}

/** `undefined` if nothing is to be done: the program goes with its device, or is already gone. */
export function wireTask(
  tools: BatchTools,
  job: Job,
  object: ProgramPlace,
  verdictOf: (place: NetnsPlace) => WireVerdict,
): WireTask | undefined {
  const place = tools.places.find(object.netns);
  const isRemoved = job.operation.verb === "remove";
  if (!place || (isRemoved && tools.isLeaving(place, object.link))) return undefined;
  const index = indexOf(tools, job, place, object);
  if (index === undefined) return undefined;
  return {
    number: job.number,
    place,
    isShared: object.index === undefined && place === tools.places.find("host"),
    datapath: tools.datapath(),
    wanted: { ifindex: index, name: pinName(place.identity, index), ...verdictOf(place) },
  };
}

/** Attaches the program to the device. */
export async function attachWire(tools: BatchTools, task: WireTask): Promise<void> {
  if (task.isShared) bind(tools, task);
  else await attach(tools, task);
}

/** Detaches the program from the device. */
export function detachWire(tools: BatchTools, task: WireTask): void {
  (task.isShared ? unbind : detach)(tools, task);
}

/** The index of the program's device. `undefined` if a removal finds no device. */
function indexOf(tools: BatchTools, job: Job, place: NetnsPlace, object: ProgramPlace): number | undefined {
  const { index } = object;
  // A borrowed device may be gone or renamed: the program is found by the index.
  if (index !== undefined && job.operation.verb === "remove") return index;
  const link = tools.linkOf(job, place, object.link);
  if (!link || index === undefined) return link?.index;
  if (link.index !== index) throw refuseStep(job, "ENODEV", `${object.link} is another device by now`);
  if (link.master !== undefined)
    throw refuseStep(job, "EBUSY", `${object.link} is a member of another device`);
  return index;
}

/** Reads the previous verdict from the map, because the previous target device may be gone. */
export function redirectWire(tools: BatchTools, { place, datapath, wanted }: WireTask): void {
  direct(tools, place, () => {
    const { ifindex } = wanted;
    const before = datapath.action(ifindex);
    datapath.change(wanted);
    return () => {
      if (before) datapath.change({ ifindex, ...before });
    };
  });
}

/** Writes the map entry first, so that the program knows the device when it starts to run there. */
function bind(tools: BatchTools, { number, place, datapath, wanted }: WireTask): void {
  direct(tools, place, () => {
    datapath.bind(wanted, () => !hasIngressBlock(place, wanted.ifindex));
    return () => datapath.unbind(wanted.ifindex);
  });
  tools.transaction.enqueue(place, {
    operation: number,
    request: addIngressBlock(wanted.ifindex),
    undo: deleteIngressBlock(wanted.ifindex),
  });
  // The block and its filter exist from the first device to the last.
  tools.transaction.enqueue(place, {
    operation: number,
    request: addBlockFilter(datapath.program, { replaces: false }),
    absent: ["EEXIST"],
  });
}

/** Removes the map entry first, so that the program drops all frames of the device until it is detached. */
function unbind(tools: BatchTools, { number, place, datapath, wanted }: WireTask): void {
  const { transaction } = tools;
  const before = datapath.action(wanted.ifindex);
  direct(tools, place, () => {
    datapath.unbind(wanted.ifindex);
    return () => {
      if (before) datapath.bind({ ifindex: wanted.ifindex, ...before }, () => true);
    };
  });
  // The block may have been removed with its last device.
  transaction.onRollBack(() => place.socket.change(addBlockFilter(datapath.program, { replaces: false })));
  transaction.enqueue(place, {
    operation: number,
    request: deleteIngressBlock(wanted.ifindex),
    undo: addIngressBlock(wanted.ifindex),
    absent: [...ABSENT, "EINVAL"],
  });
}

/** The kernel takes a few milliseconds to release a program that was just detached. */
async function attach(tools: BatchTools, { place, datapath, wanted }: WireTask): Promise<void> {
  const isFree = (): boolean => !hasIngressBlock(place, wanted.ifindex);
  const isHost = place === tools.places.find("host");
  await tools.transaction.flush();
  for (let attempt = 1; ; attempt++) {
    try {
      direct(tools, place, () => {
        datapath.attach(wanted, isHost ? isFree : undefined);
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

/**
 * Detaches a program if it is attached, and removes its pin even if the device is gone. The undo restores only an attached
 * program.
 */
function detach(tools: BatchTools, { place, datapath, wanted: { ifindex, name } }: WireTask): void {
  const before = datapath.isAttached(name) ? datapath.action(ifindex) : undefined;
  direct(tools, place, () => {
    datapath.detach(name);
    return () => {
      if (before) attachAgain(datapath, { ifindex, name, ...before });
    };
  });
}

/** Runs an action inside the namespace that is not a netlink message, and registers its undo. */
export function direct({ transaction }: BatchTools, place: NetnsPlace, action: () => () => void): void {
  const undo = place.run(action);
  transaction.onRollBack(() => place.run(undo));
}

/** Attaches a program in an undo, which must not yield: blocks while the kernel has not released the program yet. */
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
