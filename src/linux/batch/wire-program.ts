/**
 * The `wire` program on a device, as a step of a batch. Two ways, because they cost and hold differently:
 *
 * - a device of the host shares the block of all of them (netlink/ingress-block.ts): microseconds, no pin
 * - a device in a workload's namespace gets a pinned tcx link, which root in there cannot take off: 8-20 ms
 * - so does a borrowed device: a link changes nothing of it, while a qdisc would be one more of its owner's
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

/** Two seconds: on a busy machine the kernel takes its time to let go of a program. */
const ATTACH_ATTEMPTS = 1_000;
const ATTACH_PAUSE_MS = 2;

/** What has the program: a device, and its index if it is a borrowed one. */
export interface ProgramPlace extends OnLink {
  readonly index?: number;
}

/** A program of a batch, and the device it is on. */
export interface WireTask {
  readonly number: number;
  readonly place: NetnsPlace;
  /** By the block of the host's devices. */
  readonly isShared: boolean;
  readonly datapath: Datapath;
  readonly wanted: Attachment;
}

/** `undefined` where there is nothing to do: it goes with its device, or has gone. */
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

/** Puts the program on the device. */
export async function attachWire(tools: BatchTools, task: WireTask): Promise<void> {
  if (task.isShared) bind(tools, task);
  else await attach(tools, task);
}

/** Takes it off. */
export function detachWire(tools: BatchTools, task: WireTask): void {
  (task.isShared ? unbind : detach)(tools, task);
}

/** Of the device that it is on, or was. `undefined` for who removes from one that is not there. */
function indexOf(tools: BatchTools, job: Job, place: NetnsPlace, object: ProgramPlace): number | undefined {
  const { index } = object;
  // A borrowed device may have gone, or have another name by now: the program is found by the index.
  if (index !== undefined && job.operation.verb === "remove") return index;
  const link = tools.linkOf(job, place, object.link);
  if (!link || index === undefined) return link?.index;
  if (link.index !== index) throw refuseStep(job, "ENODEV", `${object.link} is another device by now`);
  if (link.master !== undefined)
    throw refuseStep(job, "EBUSY", `${object.link} is a member of another device`);
  return index;
}

/** What it did before is read from the map: the device that it led to may be gone, and with it its name. */
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

/** The entry first, so that the program knows the device when it begins to run there. */
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
  // The block, and with it the filter, lives from its first device to its last.
  tools.transaction.enqueue(place, {
    operation: number,
    request: addBlockFilter(datapath.program, { replaces: false }),
    absent: ["EEXIST"],
  });
}

/** The device is closed before the program is gone. */
function unbind(tools: BatchTools, { number, place, datapath, wanted }: WireTask): void {
  const { transaction } = tools;
  const before = datapath.action(wanted.ifindex);
  direct(tools, place, () => {
    datapath.unbind(wanted.ifindex);
    return () => {
      if (before) datapath.bind({ ifindex: wanted.ifindex, ...before }, () => true);
    };
  });
  // The block may have gone with its last device.
  transaction.onRollBack(() => place.socket.change(addBlockFilter(datapath.program, { replaces: false })));
  transaction.enqueue(place, {
    operation: number,
    request: deleteIngressBlock(wanted.ifindex),
    undo: addIngressBlock(wanted.ifindex),
    absent: [...ABSENT, "EINVAL"],
  });
}

/** The kernel takes a few milliseconds to let go of a program that was just taken off. */
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

/** What is not attached is fine, and does not come back with the undo; the pin of a device that is gone goes, too. */
function detach(tools: BatchTools, { place, datapath, wanted: { ifindex, name } }: WireTask): void {
  const before = datapath.isAttached(name) ? datapath.action(ifindex) : undefined;
  direct(tools, place, () => {
    datapath.detach(name);
    return () => {
      if (before) attachAgain(datapath, { ifindex, name, ...before });
    };
  });
}

/** Does something inside of the namespace that is no netlink message, and notes how it is undone. */
export function direct({ transaction }: BatchTools, place: NetnsPlace, action: () => () => void): void {
  const undo = place.run(action);
  transaction.onRollBack(() => place.run(undo));
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
