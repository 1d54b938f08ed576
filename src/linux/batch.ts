/** Runs one batch of operations: in order, all or nothing. */
import { readFileSync, writeFileSync } from "node:fs";
import {
  type ApplyOptions,
  type Failpoint,
  KernelError,
  type KernelObject,
  type Operation,
  type Program,
  type Sysctl,
  type Up,
} from "../world/kernel.ts";
import { codeOfErrno, describeOperation, refusal } from "../world/kernel-text.ts";
import { NetloomError } from "../world/errors.ts";
import type { Attachment, Datapath } from "./bpf/datapath.ts";
import { reasonOf } from "./explain.ts";
import { type Device, LinkOperations } from "./link-operations.ts";
import { Links } from "./links.ts";
import type { OwnerMark } from "./messages.ts";
import { replaceNeighbor } from "./netlink/neighbor.ts";
import { changeLink } from "./netlink/link.ts";
import * as k from "./netlink/constants.ts";
import type { Link } from "./netlink/link-decode.ts";
import { learnedNeighbor, observe } from "./observe.ts";
import { ABSENT, addRequest, type Plain, removeRequest, replaceRequest } from "./object-requests.ts";
import type { Place, Places } from "./place.ts";
import { attachmentOf } from "./programs.ts";
import type { Reaper } from "./reaper.ts";
import { errnoName } from "./syscall.ts";
import { StepRefused, Transaction } from "./transaction.ts";

export interface BatchContext {
  readonly places: Places;
  readonly reaper: Reaper;
  readonly mark: OwnerMark;
  /** Opens the datapath, and mounts the bpffs for it if need be. */
  readonly datapath: () => Datapath;
  readonly forgetPrograms: (place: Place, linkIndex: number) => void;
}

export class Batch {
  readonly #context: BatchContext;
  readonly #operations: readonly Operation[];
  readonly #failpoint: Failpoint | undefined;
  readonly #links = new Links();
  readonly #transaction: Transaction;
  readonly #linkOperations: LinkOperations;
  /** Names of the devices that this batch removes, by place: what hangs on them goes with them. */
  readonly #leaving = new Map<Place, Set<string>>();

  constructor(context: BatchContext, operations: readonly Operation[], options: ApplyOptions) {
    this.#context = context;
    this.#operations = operations;
    this.#failpoint = options.failpoint;
    this.#transaction = new Transaction(context.reaper);
    this.#linkOperations = new LinkOperations({
      ...context,
      links: this.#links,
      transaction: this.#transaction,
    });
  }

  /** Opens every namespace of the batch. Refuses an operation in one that is not there, unless it removes. */
  prepare(): void {
    const { places } = this.#context;
    for (const [number, operation] of this.#operations.entries()) {
      for (const netns of namespacesOf(operation.object)) {
        const place = operation.verb === "remove" ? places.find(netns) : this.#open(number, operation, netns);
        if (place && operation.verb === "remove" && isDevice(operation.object))
          this.#leave(place, operation.object);
      }
    }
  }

  async run(): Promise<void> {
    try {
      for (const [number, operation] of this.#operations.entries()) {
        await this.#strike("before", number, operation);
        await this.#execute(number, operation);
        await this.#strike("after", number, operation);
      }
      await this.#transaction.flush();
    } catch (error) {
      const failures = this.#transaction.rollBack();
      throw withFailures(this.#refusalOf(error), failures);
    }
    this.#transaction.commit();
  }

  #open(number: number, operation: Operation, netns: Parameters<Places["of"]>[0]): Place {
    try {
      return this.#context.places.of(netns);
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
      throw new KernelError(error.code, `${describeOperation(operation)}: ${error.message}`, {
        operation: number,
        cause: error,
        errno: error.errno ?? "ENOENT",
        ...(error.hint !== undefined && { hint: error.hint }),
      });
    }
  }

  #leave(place: Place, device: Device): void {
    const names = this.#leaving.get(place) ?? new Set<string>();
    for (const end of device.kind === "veth" ? device.ends : [device])
      if (this.#context.places.find(end.netns) === place) names.add(end.name);
    this.#leaving.set(place, names);
  }

  async #strike(when: Failpoint["when"], number: number, operation: Operation): Promise<void> {
    const failpoint = this.#failpoint;
    if (failpoint?.operation !== number || failpoint.when !== when) return;
    await this.#transaction.flush();
    if (failpoint.how === "crash") process.exit(1);
    throw new KernelError("INTERNAL", `${describeOperation(operation)}: failpoint ${when}`, {
      operation: number,
    });
  }

  async #execute(number: number, operation: Operation): Promise<void> {
    const { object, verb } = operation;
    switch (object.kind) {
      case "veth":
      case "vxlan":
      case "bridge":
        if (verb === "add") return this.#linkOperations.add(number, operation, object);
        if (verb === "remove") return this.#linkOperations.remove(number, object);
        return this.#linkOperations.change(number, operation, object, operation.from as Device);
      case "up":
        return this.#up(number, operation, object);
      case "program":
        return this.#program(number, operation, object);
      case "sysctl":
        return this.#sysctl(number, operation, object);
      default:
        return this.#plain(number, operation, object);
    }
  }

  #plain(number: number, operation: Operation, object: Plain): void {
    const { verb } = operation;
    const place = this.#context.places.find(object.netns);
    if (!place || (verb === "remove" && this.#goesWithItsLink(place, object))) return;
    const linkIndex = object.kind === "rule" ? 0 : this.#linkOf(number, operation, place, object.link)?.index;
    if (linkIndex === undefined) return;
    const target = { linkIndex, protocol: this.#context.mark.protocol };
    if (verb === "add") this.#add(number, place, object, target);
    if (verb === "remove") this.#remove(number, place, object, target);
    if (verb !== "change") return;
    const from = operation.from as Plain;
    const forth = replaceRequest(object, target);
    const back = replaceRequest(from, target);
    if (forth && back) {
      this.#transaction.enqueue(place, { operation: number, request: forth, undo: back });
      return;
    }
    this.#transaction.enqueue(place, {
      operation: number,
      request: removeRequest(from, target),
      undo: addRequest(from, target),
    });
    this.#add(number, place, object, target);
  }

  #add(number: number, place: Place, object: Plain, target: { linkIndex: number; protocol: number }): void {
    this.#transaction.enqueue(place, {
      operation: number,
      request: addRequest(object, target),
      undo: removeRequest(object, target),
      ...(object.kind === "neighbor" && {
        instead: () =>
          learnedNeighbor(place, target.linkIndex, object.address)
            ? replaceNeighbor({ ...object, ...target })
            : undefined,
      }),
    });
  }

  #remove(
    number: number,
    place: Place,
    object: Plain,
    target: { linkIndex: number; protocol: number },
  ): void {
    this.#transaction.enqueue(place, {
      operation: number,
      request: removeRequest(object, target),
      undo: addRequest(object, target),
      absent: ABSENT,
    });
  }

  async #up(number: number, operation: Operation, object: Up): Promise<void> {
    const { places } = this.#context;
    const place = places.find(object.netns);
    const isUp = operation.verb !== "remove";
    if (!place || (!isUp && this.#isLeaving(place, object.link))) return;
    const link = this.#linkOf(number, operation, place, object.link);
    if (!link || ((link.flags & k.IFF_UP) !== 0) === isUp) return;
    if (!isUp) await this.#restoreLater(place, link);
    this.#links.put(place, { ...link, flags: isUp ? link.flags | k.IFF_UP : link.flags & ~k.IFF_UP });
    this.#transaction.enqueue(place, {
      operation: number,
      request: changeLink(link.index, { up: isUp }),
      undo: changeLink(link.index, { up: !isUp }),
    });
  }

  /** A device that goes down loses routes, neighbours and IPv6 addresses: the undo puts ours back. */
  async #restoreLater(place: Place, link: Link): Promise<void> {
    await this.#transaction.flush();
    const { mark } = this.#context;
    const target = { linkIndex: link.index, protocol: mark.protocol };
    const lost = observe({ ...this.#context, pinned: () => undefined, known: () => [] }, [
      { netns: place.netns, links: [link.name] },
    ]);
    this.#transaction.onRollBack(() => {
      for (const object of lost)
        if (object.kind === "address" || object.kind === "route" || object.kind === "neighbor")
          place.socket.change(addRequest(object, target));
    });
  }

  async #program(number: number, operation: Operation, object: Program): Promise<void> {
    const place = this.#context.places.find(object.netns);
    if (!place || (operation.verb === "remove" && this.#isLeaving(place, object.link))) return;
    const link = this.#linkOf(number, operation, place, object.link);
    if (!link) return;
    await this.#transaction.flush();
    const datapath = this.#context.datapath();
    const attachment = (program: Program): Attachment =>
      attachmentOf(place, link.index, program, (name) => this.#linkOf(number, operation, place, name)?.index);
    const wanted = attachment(object);
    const before = operation.verb === "change" ? attachment(operation.from as Program) : wanted;
    this.#direct(number, operation, place, () => {
      switch (operation.verb) {
        case "add":
          datapath.attach(wanted);
          return () => datapath.detach(wanted.name);
        case "change":
          datapath.change(wanted);
          return () => datapath.change(before);
        case "remove":
        default:
          datapath.detach(wanted.name);
          return () => datapath.attach(wanted);
      }
    });
  }

  async #sysctl(number: number, operation: Operation, { netns, name, value }: Sysctl): Promise<void> {
    // What a setting was before it was set is not known any more, and those of a device go with it.
    if (operation.verb === "remove") return;
    if (!/^net\/[^.]/.test(name) || name.split("/").includes(".."))
      throw refusal(operation, "ENOENT", "there is no such setting in a namespace", { operation: number });
    await this.#transaction.flush();
    const path = `/proc/sys/${name}`;
    this.#direct(number, operation, this.#context.places.of(netns), () => {
      const before = readFileSync(path, "utf8");
      writeFileSync(path, value);
      return () => writeFileSync(path, before);
    });
  }

  /** Does something inside of the namespace that is no netlink message, and notes how it is undone. */
  #direct(number: number, operation: Operation, place: Place, action: () => () => void): void {
    try {
      const undo = place.run(action);
      this.#transaction.onRollBack(() => place.run(undo));
    } catch (error) {
      if (error instanceof NetloomError) {
        const errno = error instanceof KernelError ? error.errno : undefined;
        throw new KernelError(error.code, `${describeOperation(operation)}: ${error.message}`, {
          operation: number,
          cause: error,
          ...(errno !== undefined && { errno }),
          ...(error.hint !== undefined && { hint: error.hint }),
        });
      }
      const errno = (error as NodeJS.ErrnoException).code;
      if (errno === undefined || !/^E[A-Z0-9]+$/.test(errno)) throw error;
      const { reason, hint } = reasonOf(errno, { errno: 0 }, operation.object);
      throw refusal(operation, errno, reason, {
        operation: number,
        cause: error,
        ...(hint !== undefined && { hint }),
      });
    }
  }

  /** The device an object hangs on. To remove something from a device that is not there is a success. */
  #linkOf(number: number, operation: Operation, place: Place, name: string): Link | undefined {
    const link = this.#links.find(place, name);
    if (link || operation.verb === "remove") return link;
    throw refusal(operation, "ENODEV", `there is no device ${name}`, { operation: number });
  }

  #isLeaving(place: Place, link: string): boolean {
    return this.#leaving.get(place)?.has(link) ?? false;
  }

  /** Addresses and routes are taken off at once all the same: a doomed device would go on attracting packets by them. */
  #goesWithItsLink(place: Place, object: Plain): boolean {
    if (object.kind === "address" || object.kind === "route" || object.kind === "rule") return false;
    return this.#isLeaving(place, object.link);
  }

  #refusalOf(error: unknown): unknown {
    if (!(error instanceof StepRefused)) return error;
    const operation = this.#operations[error.operation];
    if (!operation) return error;
    const { reason, hint, code } = reasonOf(error.errno, error.ack, operation.object);
    const details = { operation: error.operation, ...(hint !== undefined && { hint }) };
    if (code === undefined || code === codeOfErrno(error.errno))
      return refusal(operation, error.errno, reason, details);
    const { message } = refusal(operation, error.errno, reason);
    return new KernelError(code, message, { ...details, errno: error.errno });
  }
}

/** Every namespace that an object is in. */
export function namespacesOf(object: KernelObject): readonly Parameters<Places["of"]>[0][] {
  if (object.kind === "veth") return object.ends.map((end) => end.netns);
  return object.kind === "vxlan" ? [object.netns, "host"] : [object.netns];
}

function isDevice(object: KernelObject): object is Device {
  return object.kind === "veth" || object.kind === "vxlan" || object.kind === "bridge";
}

/** Says in the error what could not be taken back. */
function withFailures(error: unknown, failures: readonly unknown[]): unknown {
  if (failures.length === 0 || !(error instanceof Error)) return error;
  const reasons = failures.map((failure) =>
    failure instanceof StepRefused ? errnoName(failure.ack.errno) : String(failure),
  );
  error.message += `; not all of it could be undone: ${reasons.join(", ")}`;
  return error;
}
