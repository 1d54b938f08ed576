/** Runs one batch of operations: in order, all or nothing. */
import {
  type ApplyOptions,
  type Failpoint,
  KernelError,
  type KernelObject,
  type LinkEnd,
  type Operation,
  type Program,
  type Sysctl,
  type Up,
  type OwnerMark,
} from "../kernel/kernel.ts";
import { type Device, endsOf, isDevice, namespacesOf } from "../kernel/objects.ts";
import { describeOperation } from "../kernel/kernel-text.ts";
import type { Datapath } from "./bpf/datapath.ts";
import { type Reason, reasonOf, takenPort } from "./explain.ts";
import { LinkOperations } from "./link-operations.ts";
import { Links } from "./links.ts";
import { replaceNeighbor } from "./netlink/neighbor.ts";
import { changeLink } from "./netlink/link.ts";
import { decodeQdisc, getQdisc } from "./netlink/qdisc.ts";
import * as k from "./netlink/constants.ts";
import type { Link } from "./netlink/link-decode.ts";
import { learnedNeighbor, observe } from "./observe.ts";
import { ABSENT, addRequest, type Plain, removeRequest, replaceRequest } from "./object-requests.ts";
import type { Place, Places } from "./place.ts";
import type { ProcSys } from "./proc-sys.ts";
import { ProgramOperations } from "./program-operations.ts";
import { Readiness } from "./readiness.ts";
import { doomedGroup, type Reaper } from "./reaper.ts";
import { type Job, refuse, restate } from "./refuse.ts";
import { errnoName } from "./syscall.ts";
import { StepRefused, Transaction } from "./transaction.ts";

export interface BatchContext {
  readonly places: Places;
  readonly reaper: Reaper;
  readonly settings: ProcSys;
  readonly mark: OwnerMark;
  /** Opens the datapath, and mounts the bpffs for it if need be. */
  readonly datapath: () => Datapath;
  readonly forgetPrograms: (place: Place, linkIndex: number) => void;
  /** True after a pause if a namespace died of late whose devices may still be about to go. */
  readonly awaitTheDying: () => Promise<boolean>;
}

export class Batch {
  readonly #context: BatchContext;
  readonly #operations: readonly Operation[];
  readonly #failpoint: Failpoint | undefined;
  readonly #links: Links;
  readonly #transaction: Transaction;
  readonly #readiness = new Readiness();
  readonly #linkOperations: LinkOperations;
  readonly #programs: ProgramOperations;
  readonly #places = new Set<Place>();
  /** The devices that this batch removes, by place and name. */
  readonly #leaving = new Map<Place, Map<string, LinkEnd>>();

  constructor(context: BatchContext, operations: readonly Operation[], options: ApplyOptions) {
    this.#context = context;
    this.#operations = operations;
    this.#failpoint = options.failpoint;
    this.#transaction = new Transaction(context.reaper);
    this.#links = new Links(doomedGroup(context.mark.group));
    this.#linkOperations = new LinkOperations({
      ...context,
      links: this.#links,
      transaction: this.#transaction,
    });
    this.#programs = new ProgramOperations({ ...context, transaction: this.#transaction });
  }

  /** Opens every namespace of the batch. Refuses an operation in one that is not there, unless it removes. */
  prepare(): void {
    const { places } = this.#context;
    for (const [number, operation] of this.#operations.entries()) {
      for (const netns of namespacesOf(operation.object)) {
        const place =
          operation.verb === "remove" ? places.find(netns) : this.#open({ number, operation }, netns);
        if (place) this.#places.add(place);
        if (place && operation.verb === "remove" && isDevice(operation.object))
          this.#leave(place, operation.object);
      }
    }
  }

  async run(): Promise<void> {
    try {
      if (this.#operations.some(({ verb }) => verb !== "remove")) this.#withdraw();
      for (const [number, operation] of this.#operations.entries()) {
        const job = { number, operation };
        if (this.#failpoint) await this.#strike("before", job);
        await this.#executeInOrder(job);
        if (this.#failpoint) await this.#strike("after", job);
      }
      await this.#transaction.flush();
    } catch (error) {
      const failures = this.#transaction.rollBack();
      throw withFailures(this.#refusalOf(error), failures);
    }
    this.#transaction.commit();
    await this.#readiness.wait();
  }

  /** What is queued comes first, also where it and this operation are both refused. */
  async #executeInOrder(job: Job): Promise<void> {
    try {
      await this.#execute(job);
    } catch (error) {
      await this.#transaction.flush();
      throw error;
    }
  }

  #open(job: Job, netns: Parameters<Places["of"]>[0]): Place {
    try {
      return this.#context.places.of(netns);
    } catch (error) {
      throw restate(job, error);
    }
  }

  #leave(place: Place, device: Device): void {
    const ends = this.#leaving.get(place) ?? new Map<string, LinkEnd>();
    for (const end of endsOf(device))
      if (this.#context.places.find(end.netns) === place) ends.set(end.name, end);
    this.#leaving.set(place, ends);
  }

  async #strike(when: Failpoint["when"], { number, operation }: Job): Promise<void> {
    const failpoint = this.#failpoint;
    if (failpoint?.operation !== number || failpoint.when !== when) return;
    await this.#transaction.flush();
    if (failpoint.how === "crash") process.exit(1);
    const message = `${describeOperation(operation)}: failpoint ${when}`;
    throw new KernelError("INTERNAL", message, { operation: number });
  }

  async #execute(job: Job): Promise<void> {
    const { operation } = job;
    const { object, verb } = operation;
    switch (object.kind) {
      case "veth":
      case "vxlan":
        if (verb === "add") return this.#linkOperations.add(job, object);
        if (verb === "remove") return this.#linkOperations.remove(job, object);
        return this.#linkOperations.change(job, object, operation.from as Device);
      case "up":
        return this.#up(job, object);
      case "program":
        return this.#program(job, object);
      case "sysctl":
        return this.#sysctl(job, object);
      default:
        return this.#plain(job, object);
    }
  }

  async #plain(job: Job, object: Plain): Promise<void> {
    const { number, operation } = job;
    const { verb } = operation;
    const place = this.#context.places.find(object.netns);
    if (!place) return;
    const link = object.kind === "rule" ? undefined : this.#linkOf(job, place, object.link);
    if (!link && object.kind !== "rule") return;
    if (link && verb === "remove" && this.#isStrangers(place, link)) return;
    const linkIndex = link?.index ?? 0;
    const target = { linkIndex, protocol: this.#context.mark.protocol };
    if (verb === "remove" && link && this.#isLeaving(place, link.name))
      return this.#withdrawLater(place, object, target);
    // With its last IPv4 address a device loses its neighbours and routes.
    if (link && object.kind === "address" && !object.address.includes(":"))
      await this.#restoreLater(place, link);
    if (verb === "add" && object.kind === "qdisc") await this.#demandNoQdisc(job, place, linkIndex);
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

  /** The kernel would replace it without a word. */
  async #demandNoQdisc(job: Job, place: Place, linkIndex: number): Promise<void> {
    await this.#transaction.flush();
    const existing = place.socket.get(getQdisc(linkIndex), decodeQdisc, ["ENOENT", "EINVAL"]);
    if (existing?.shape) throw refuse(job, "EEXIST", `the device has a root qdisc, ${existing.kind}`);
  }

  #add(number: number, place: Place, object: Plain, target: { linkIndex: number; protocol: number }): void {
    if (object.kind === "address") this.#readiness.expectAddress(place, target.linkIndex, object.address);
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

  async #up(job: Job, object: Up): Promise<void> {
    const { number, operation } = job;
    const place = this.#context.places.find(object.netns);
    const isUp = operation.verb !== "remove";
    if (!place || (!isUp && this.#isLeaving(place, object.link))) return;
    const link = this.#linkOf(job, place, object.link);
    if (!link || ((link.flags & k.IFF_UP) !== 0) === isUp) return;
    await this.#restoreLater(place, link);
    this.#links.put(place, { ...link, flags: isUp ? link.flags | k.IFF_UP : link.flags & ~k.IFF_UP });
    this.#transaction.enqueue(place, {
      operation: number,
      request: changeLink(link.index, { up: isUp }),
      undo: changeLink(link.index, { up: !isUp }),
      ...(isUp ? { onDone: () => this.#readiness.expectLink(place, link.index) } : { absent: ABSENT }),
    });
  }

  /**
   * What a device loses with the next step, or with its undo, is put back when all is undone. One that this batch has
   * made goes by then.
   */
  async #restoreLater(place: Place, link: Link): Promise<void> {
    if (this.#links.wasMade(link)) return;
    await this.#transaction.flush();
    const { mark } = this.#context;
    const target = { linkIndex: link.index, protocol: mark.protocol };
    const lost = observe({ ...this.#context, programOf: () => undefined, known: () => [] }, [
      { netns: place.netns, links: [link.name] },
    ]);
    this.#transaction.onRollBack(() => {
      for (const object of lost)
        if (object.kind === "address" || object.kind === "route" || object.kind === "neighbor")
          place.socket.change(addRequest(object, target));
    });
  }

  async #program(job: Job, object: Program): Promise<void> {
    const place = this.#context.places.find(object.netns);
    if (!place || (job.operation.verb === "remove" && this.#isLeaving(place, object.link))) return;
    const link = this.#linkOf(job, place, object.link);
    if (!link) return;
    const indexOf = (name: string): number | undefined => this.#linkOf(job, place, name)?.index;
    await this.#programs.run({ ...job, object, place, link, indexOf });
  }

  async #sysctl(job: Job, object: Sysctl): Promise<void> {
    // What a setting was before it was set is not known any more, and those of a device go with it.
    if (job.operation.verb === "remove") return;
    const place = this.#context.places.of(object.netns);
    const device = object.link === undefined ? undefined : this.#links.find(place, object.link);
    const isNew = device !== undefined && this.#links.wasMade(device);
    // Nothing that is queued changes a setting, but to write it may take the lock of all link changes.
    if (!isNew) await this.#transaction.flush();
    try {
      this.#context.settings.write(place, object, isNew, (undo) => this.#transaction.onRollBack(undo));
    } catch (error) {
      throw restate(job, error);
    }
  }

  /** The device an object hangs on. To remove something from a device that is not there is a success. */
  #linkOf(job: Job, place: Place, name: string): Link | undefined {
    const link = this.#links.find(place, name);
    if (link || job.operation.verb === "remove") return link;
    throw refuse(job, "ENODEV", `there is no device ${name}`);
  }

  #isLeaving(place: Place, link: string): boolean {
    return this.#leaving.get(place)?.has(link) ?? false;
  }

  /** Whether a device that this batch would remove is another owner's by now: then all that it has stays, too. */
  #isStrangers(place: Place, link: Link): boolean {
    const end = this.#leaving.get(place)?.get(link.name);
    return end !== undefined && (link.group !== this.#context.mark.group || (link.alias ?? "") !== end.alias);
  }

  /**
   * All goes with its device. But until the kernel has freed that, it would go on attracting packets by its addresses and
   * routes: they are taken off as soon as somebody else is given something there.
   */
  #withdrawLater(place: Place, object: Plain, target: { linkIndex: number; protocol: number }): void {
    if (object.kind !== "address" && object.kind !== "route") return;
    const request = (): Uint8Array => removeRequest(object, target);
    this.#transaction.onCommit(() => this.#context.reaper.withdrawLater(place.identity, request));
  }

  /** Has devices that are doomed in the namespaces of this batch draw no packet of what it makes. */
  #withdraw(): void {
    for (const place of this.#places) {
      const requests = this.#context.reaper.withdraw(place.identity);
      // What is refused is gone already.
      if (requests.length > 0) place.socket.changes(requests);
    }
  }

  #refusalOf(error: unknown): unknown {
    if (!(error instanceof StepRefused)) return error;
    const operation = this.#operations[error.operation];
    if (!operation) return error;
    const reason = this.#takenPort(error.errno, operation.object);
    return refuse(
      { number: error.operation, operation },
      error.errno,
      reason ?? reasonOf(error.errno, error.ack, operation.object),
    );
  }

  /** A tunnel device opens its port when it is set up. */
  #takenPort(errno: string, object: KernelObject): Reason | undefined {
    if (errno !== "EADDRINUSE" || object.kind !== "up") return undefined;
    const { places, mark } = this.#context;
    const place = places.find(object.netns);
    // Of a device that this batch has made nothing but its kind is known, and the undo has taken it away by now.
    const made = this.#operations.find(
      (each) => each.object.kind === "vxlan" && each.object.name === object.link,
    )?.object;
    const port =
      made?.kind === "vxlan" ? made.port : place && this.#links.find(place, object.link)?.vxlan?.port;
    return port === undefined ? undefined : takenPort(port, places.of("host"), mark);
  }
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
