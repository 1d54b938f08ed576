/**
 * The attachments of a host, with their progress. They are applied, changed and removed while the agent runs.
 *
 * Guarantees
 * - An accepted change is on the disk: after a restart the agent does the same, under the same ids.
 * - A failed attachment is tried again. Neither a failure nor a slow removal delays other attachments.
 * - The successor of an attachment starts when that attachment is gone.
 * - Wires of an earlier agent are taken over as they are. Wires that are known to be unwanted are removed at once, other
 *   unclaimed wires after the time in which a client would have requested them.
 */
import { NetloomError, operatingError } from "../errors/errors.ts";
import type { Scope } from "../async/scope.ts";
import type { AttachmentController, AttachmentRecord } from "../attachments/attachment-controller.ts";
import { Clients } from "../attachments/clients.ts";
import { clashesOf, Interfaces, perhapsTheSame } from "../attachments/clashes.ts";
import { type Desired, DesiredState, type Kept, type Loaded } from "./desired-state.ts";
import { differences } from "./differences.ts";
import { AttachmentNews } from "./attachment-news.ts";
import type { Journal } from "./journal.ts";
import type { Kinds, Tools } from "../attachments/kind.ts";
import type { AgentParts } from "../attachments/parts.ts";
import type { KeptWires } from "./kept-wires.ts";
import { backoffMs } from "../async/backoff.ts";
import { Semaphore } from "../async/semaphore.ts";
import type { WorkloadRef } from "../resolvers/resolver.ts";
import { workloadKey } from "../resolvers/workload-ref.ts";
import { isSameState, type ProgressView } from "../attachments/progress.ts";
import { type Document, isMatch, type Ref, refOf, refText, type Spec } from "../attachments/spec.ts";
import { Workloads } from "../attachments/workloads.ts";

export interface AttachmentsOptions {
  readonly parts: AgentParts & { readonly wires: KeptWires };
  /** The kinds of documents. */
  readonly kinds: Kinds;
  /**
   * The time for which wires of an earlier agent wait for clients of other processes and hosts to request them again. Default:
   * 600,000 ms, the lifetime of a token: without a refresh they would be closed after that time anyway.
   */
  readonly sweepAfterMs?: number;
  /** The path of the disk, for messages. Default: `the state folder`. */
  readonly stateFolder?: string;
}

/** The change that `apply` makes, or would make, to one attachment. */
export interface Applied {
  readonly ref: Ref;
  readonly change: "unchanged" | "added" | "changed";
  /** Paths of the values that differ: `metadata.labels.app`. */
  readonly differences: readonly string[];
}

export const SWEEP_AFTER_MS = 600_000;
const SWEEP_RETRY_MS = 10_000;
const SWEEP = "remove unclaimed wires from before the restart";
const REQUESTS_AT_ONCE = 32;
/** The time for which wires wait, at the start of the agent, for its own endpoints to be registered. */
const ENDPOINTS_FIRST_MS = 1_000;

/** A wire waits this long for a workload that is missing. */
const WORKLOAD_COMES_MS = 10_000;

interface Running {
  /** The controller of the attachment. During a replacement it is the old one, until that is closed. */
  readonly attached: AttachmentController;
  /** The generation of the document that `attached` works for. */
  readonly observedGeneration: number;
  readonly kept: Kept;
  /** Ends the controller's task. */
  readonly stop: () => Promise<void>;
}

interface Leaving {
  readonly running: Running;
  /** Resolves when the attachment is removed, and at the end of the world. */
  readonly gone: Promise<void>;
}

export class Attachments {
  readonly kinds: Kinds;
  readonly #parts: AttachmentsOptions["parts"];
  readonly #news: AttachmentNews;
  readonly #state: DesiredState;
  readonly #tools: Tools;
  readonly #running = new Map<string, Running>();
  readonly #leaving = new Map<string, Leaving>();
  readonly #closing = new Set<string>();
  readonly #listeners = new Set<() => void>();
  /** The last change in the queue: changes of the desired state run one after the other. */
  #tail: Promise<unknown> = Promise.resolve();
  #isEnding = false;
  /** Whether all attachments from the disk have been started. */
  #hasBegun = false;

  private constructor({ parts, kinds, stateFolder = "the state folder" }: AttachmentsOptions) {
    const { world, disk } = parts;
    this.#parts = parts;
    this.kinds = kinds;
    this.#news = new AttachmentNews(world);
    this.#state = new DesiredState({
      world,
      disk,
      stateFolder,
      read: (data) => kinds.readKept(data),
    });
    this.#tools = {
      parts,
      workloads: new Workloads(parts),
      clients: new Clients(parts),
      interfaces: new Interfaces(),
      answers: this.#state,
      turnstile: new Semaphore(REQUESTS_AT_ONCE),
      has: (ref) => this.#running.has(refText(ref)),
      wantedBy: (wireId, name) => this.#wantedBy(wireId, name),
    };
  }

  /**
   * Reads the desired state, adopts the existing wires, and starts the attachments. INTERNAL if the disk or the kernel cannot
   * be read, FAILED_PRECONDITION for a damaged state.
   */
  static async start(options: AttachmentsOptions): Promise<Attachments> {
    const attachments = new Attachments(options);
    const { wires, world } = options.parts;
    const loaded = await attachments.#state.load();
    const adopted = await wires.adopt();
    if (adopted.length > 0)
      world.log.info("took over the wires from before the restart", { wires: adopted.length });
    for (const id of loaded.closing) attachments.#closing.add(id);
    // Changes of the desired state wait until all attachments have been started.
    world.scope.spawn("begin", (scope) => attachments.#inTurn(() => attachments.#begin(loaded, scope)));
    world.scope.spawn("sweep", (scope) => attachments.#sweep(scope, options.sweepAfterMs ?? SWEEP_AFTER_MS));
    return attachments;
  }

  /** All attachments, in the order in which they were applied first. */
  all(): readonly AttachmentController[] {
    return [...this.#running.values()].map(({ attached }) => attached);
  }

  /** The events of the last hour. */
  get journal(): Pick<Journal, "list"> {
    return this.#news.journal;
  }

  /** All attachments with their generations. */
  told(): readonly AttachmentRecord[] {
    return [...this.#running.values()].map(telling);
  }

  toldOf(ref: Ref): AttachmentRecord | undefined {
    const running = this.#running.get(refText(ref));
    return running && telling(running);
  }

  find(ref: Ref): AttachmentController | undefined {
    return this.#running.get(refText(ref))?.attached;
  }

  /** The current spec of an attachment, even while its predecessor is still being removed. */
  spec(ref: Ref): Spec | undefined {
    return this.#running.get(refText(ref))?.kept.spec;
  }

  /** The documents as people wrote them. */
  documents(query: Partial<Ref> = {}): Document[] {
    return this.#kept()
      .filter(({ spec }) => isMatch(query, spec))
      .map(({ spec }) => spec.document);
  }

  /** Calls `listener` after every change of an attachment or its state. The returned function ends that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Whether an attachment with an existing workload will request the wire. */
  isAwaited(wireId: string): boolean {
    if (!this.#hasBegun) return true;
    const dueMs = this.#parts.world.clock.wallMs() - WORKLOAD_COMES_MS;
    return [...this.#running.values()].some(
      ({ kept, attached: { view } }) =>
        kept.connectionId === wireId && (view.state !== "waiting" || view.sinceMs > dueMs),
    );
  }

  #wantedBy(wireId: string, name: string): Ref | undefined {
    const owner = this.#kept().find(({ connectionId }) => connectionId === wireId)?.spec;
    return owner?.interface === name && this.isAwaited(wireId) ? refOf(owner) : undefined;
  }

  /** Whether the spec requests a wire. Such a spec keeps the wire's id, and starts after the endpoints. */
  #asks(spec: Spec): boolean {
    return this.kinds.of(spec).end === "client";
  }

  /** Calls the listeners. Called from outside when the forwarder's wires change. */
  changed(): void {
    for (const listener of this.#listeners) listener();
  }

  /** The changes that `apply` would make. INVALID_ARGUMENT for specs that contradict each other. */
  async compare(specs: readonly Spec[]): Promise<Applied[]> {
    await this.#refuseClashes(specs);
    return specs.map((spec) => {
      const ref = refOf(spec);
      const before = this.spec(ref)?.document;
      if (!before) return { ref, change: "added", differences: [] };
      const paths = differences(before, spec.document);
      return { ref, change: paths.length > 0 ? "changed" : "unchanged", differences: paths };
    });
  }

  /** Throws for clashes of `specs` only. Clashes among the other attachments are reported in their states. */
  async #refuseClashes(specs: readonly Spec[]): Promise<void> {
    const changed = new Set(specs.map(refText));
    const others = this.#kept().flatMap(({ spec }) => (changed.has(refText(spec)) ? [] : [spec]));
    const all = [...others, ...specs];
    const keyOf = await this.#identify(perhapsTheSame(all));
    const clashes = [
      ...clashesOf(all, keyOf),
      ...this.kinds.contradictions(all).map(({ index, finding }) => ({ index, problem: finding.message })),
    ];
    const clash = clashes.find(({ index }) => index >= others.length);
    if (!clash) return;
    const spec = all[clash.index];
    throw new NetloomError("INVALID_ARGUMENT", `apply ${spec ? refText(spec) : ""}: ${clash.problem}`);
  }

  /** A key function for workloads: equal for one namespace under two names, and for equal spelling. */
  async #identify(parts: readonly WorkloadRef[]): Promise<(part: WorkloadRef) => string> {
    const keys = new Map<string, string | undefined>();
    for (const part of parts) {
      const key = workloadKey(part);
      if (!keys.has(key)) keys.set(key, await this.#tools.workloads.identify(part));
    }
    return (part) => keys.get(workloadKey(part)) ?? workloadKey(part);
  }

  /** Applies all of `specs` or none. Resolves when they are on the disk, and does not wait for closed or new wires. */
  apply(specs: readonly Spec[]): Promise<Applied[]> {
    return this.#inTurn(async () => {
      const applied = await this.compare(specs);
      const fresh = specs.filter((_, i) => applied[i]?.change !== "unchanged");
      if (fresh.length === 0) return applied;
      const kept = fresh.map((spec) => this.#keep(spec));
      const changed = new Map(kept.map((each) => [refText(each.spec), each]));
      const others = this.#kept().filter(({ spec }) => !changed.has(refText(spec)));
      await this.#save([...others, ...kept]);
      this.#news.applied(applied);
      for (const each of kept) this.#put(each);
      this.changed();
      return applied;
    });
  }

  /** Deletes attachments. Resolves when their wires are gone. Returns the attachments that existed. */
  async delete(refs: readonly Ref[]): Promise<Ref[]> {
    const gone = await this.#inTurn(async () => {
      const names = new Set(refs.map(refText));
      const found = [...this.#running].filter(([name]) => names.has(name));
      if (found.length === 0) return [];
      const ids = found.flatMap(([, { kept }]) => kept.connectionId || []);
      for (const id of ids) this.#closing.add(id);
      try {
        await this.#save(this.#kept().filter(({ spec }) => !names.has(refText(spec))));
      } catch (error) {
        for (const id of ids) this.#closing.delete(id);
        throw error;
      }
      for (const [name] of found) this.#running.delete(name);
      this.#news.deleted(found.map(([, { kept }]) => refOf(kept.spec)));
      return found.map(([name, running]) => ({ running, leaving: this.#leave(name, running) }));
    });
    await Promise.all(gone.map(({ leaving }) => leaving.gone));
    for (const { running } of gone) this.#closing.delete(running.kept.connectionId);
    return gone.map(({ running }) => refOf(running.kept.spec));
  }

  /**
   * Closes a wire of this host on both sides: an unclaimed wire, or the wire of another program's client. False if there is no
   * such wire. FAILED_PRECONDITION for the wire of an attachment.
   */
  async closeWire(id: string): Promise<boolean> {
    const owner = this.#kept().find(({ connectionId }) => connectionId === id);
    if (owner) {
      const name = refText(owner.spec);
      throw new NetloomError("FAILED_PRECONDITION", `close wire ${id}: it belongs to ${name}`, {
        hint: `netloom delete ${name.replace(" ", "/")}`,
      });
    }
    const { wires } = this.#parts;
    const isKnown = wires.made.has(id) || wires.found.has(id);
    await this.#parts.dropWire(id);
    await wires.remove(id);
    return isKnown;
  }

  /** Resolves when all of `refs` are up or gone, or after `timeoutMs`. */
  async settled(refs: readonly Ref[], timeoutMs: number, scope: Scope): Promise<void> {
    const nap = scope.child("wait for attachments", { timeoutMs });
    try {
      while (!nap.ended) {
        const waiting = refs.filter((ref) => (this.find(ref)?.view.state ?? "up") !== "up");
        if (waiting.length === 0) return;
        await new Promise<void>((resolve) => {
          const done = (): void => {
            forget();
            forgetEnd();
            resolve();
          };
          const forget = this.onChange(done);
          const forgetEnd = nap.onEnd(done);
        });
      }
    } finally {
      await nap.end();
    }
  }

  /** Closes all attachments and keeps the desired state on the disk. Used when an agent ends for good. */
  async closeAll(): Promise<void> {
    this.#isEnding = true;
    for (const [name, running] of this.#running) this.#leave(name, running);
    await Promise.all([...this.#leaving.values()].map(({ gone }) => gone));
  }

  #inTurn<T>(task: () => Promise<T>): Promise<T> {
    const run = this.#tail.then(task);
    this.#tail = run.catch(() => undefined);
    return run;
  }

  #kept(): Kept[] {
    return [...this.#running.values()].map(({ kept }) => kept);
  }

  #save(kept: readonly Kept[]): Promise<void> {
    const desired: Desired = { kept, closing: [...this.#closing] };
    return this.#state.save(desired);
  }

  /** The entry of a spec for the disk. A changed spec keeps the id of its wire. */
  #keep(spec: Spec): Kept {
    const known = this.#running.get(refText(spec))?.kept;
    const { keys } = this.#parts.world;
    const connectionId = this.#asks(spec) ? known?.connectionId || keys.uuid() : "";
    return { spec, connectionId, generation: (known?.generation ?? 0) + 1 };
  }

  /** Applies a spec: its controller takes over the change, or is closed and then replaced by a new one. */
  #put(kept: Kept): void {
    const name = refText(kept.spec);
    const leaving = this.#leaving.get(name);
    const there = leaving?.running ?? this.#running.get(name);
    if (!there) return this.#start(kept, undefined);
    const isUpdated = !leaving && there.attached.update(kept.spec);
    const observedGeneration = isUpdated ? kept.generation : there.observedGeneration;
    const next = { ...there, kept, observedGeneration };
    this.#running.set(name, next);
    if (!leaving && !isUpdated) this.#leave(name, next);
  }

  /** Closes an attachment, unless that is under way. Then it starts the current spec of the same name, if there is one. */
  #leave(name: string, running: Running): Leaving {
    const known = this.#leaving.get(name);
    if (known) return known;
    const { promise: gone, resolve } = Promise.withResolvers<void>();
    const leaving = { running, gone };
    this.#leaving.set(name, leaving);
    running.attached.leave();
    this.#parts.world.scope.spawn(`take away ${name}`, async () => {
      try {
        await this.#takeAway(running);
        this.#leaving.delete(name);
        const next = this.#running.get(name);
        if (next && !this.#isEnding) this.#start(next.kept, undefined);
        this.changed();
      } finally {
        resolve();
      }
    });
    return leaving;
  }

  async #takeAway({ attached, stop }: Running): Promise<void> {
    // An error that ended the task was logged at that time.
    await stop().catch(() => undefined);
    try {
      await attached.close();
    } catch (error) {
      if (this.#parts.world.scope.ended) throw error;
      this.#news.bug(attached.spec, error);
    }
  }

  #start(kept: Kept, answers: Loaded["answers"] | undefined): void {
    const attached = this.#make(kept, answers);
    const task = this.#parts.world.scope.child(refText(kept.spec));
    task.spawn(refText(kept.spec), (scope) => this.#run(attached, scope));
    const running: Running = {
      attached,
      kept,
      observedGeneration: kept.generation,
      stop: () => task.end(),
    };
    this.#running.set(refText(kept.spec), running);
  }

  /**
   * Runs an attachment. An unexpected error is logged as a bug, becomes the state of this attachment, and is tried again
   * like any other failure. It does not affect other attachments.
   */
  async #run(attached: AttachmentController, scope: Scope): Promise<void> {
    const { clock, random } = this.#parts.world;
    const name = refText(attached.spec);
    for (let failures = 1; !scope.ended; failures++) {
      try {
        return await attached.run(scope);
      } catch (error) {
        if (scope.ended && error instanceof NetloomError) return;
        this.#news.bug(attached.spec, error);
        if (attached.view.state === "up") failures = 1;
        const delayMs = backoffMs(failures, random.fraction(`after a bug in ${name}`, failures));
        attached.fail(operatingError(`work on ${name}`, error), delayMs);
        await clock.sleep(delayMs, scope);
      }
    }
  }

  #make({ spec, connectionId }: Kept, answers: Loaded["answers"] | undefined): AttachmentController {
    let before: ProgressView | undefined;
    return this.kinds.of(spec).control(spec, this.#tools, {
      connectionId,
      answer: answers?.get(connectionId),
      onChange: (view) => {
        if (before && isSameState(before, view)) this.#news.proved(spec, before, view);
        else this.#news.turned(spec, view);
        before = view;
        this.changed();
      },
    });
  }

  /** Removes deleted wires, whose names may be needed, then starts the kept attachments, endpoints before clients. */
  async #begin({ kept, answers }: Loaded, scope: Scope): Promise<void> {
    await this.#closeRest();
    const first = kept.filter(({ spec }) => !this.#asks(spec));
    for (const each of first) this.#start(each, answers);
    await this.settled(
      first.map(({ spec }) => refOf(spec)),
      first.length > 0 ? ENDPOINTS_FIRST_MS : 0,
      scope,
    );
    for (const each of kept) if (!this.#running.has(refText(each.spec))) this.#start(each, answers);
    this.#hasBegun = true;
    this.changed();
  }

  async #closeRest(): Promise<void> {
    for (const id of this.#closing) {
      try {
        await this.#parts.wires.remove(id);
        this.#closing.delete(id);
      } catch (error) {
        if (!(error instanceof NetloomError)) throw error;
        this.#parts.world.log.warn("a deleted wire cannot be removed", { wire: id, error: error.message });
      }
    }
  }

  async #sweep(scope: Scope, afterMs: number): Promise<void> {
    const { world, wires } = this.#parts;
    for (let waitMs = afterMs; !scope.ended; waitMs = SWEEP_RETRY_MS) {
      await world.clock.sleep(waitMs, scope);
      try {
        // If the workload has not come, its next namespace will be another one and get another wire.
        const wanted = new Set(
          this.#kept().flatMap(({ connectionId }) => (this.isAwaited(connectionId) ? [connectionId] : [])),
        );
        const swept = await wires.sweep(wanted);
        this.#state.keepAnswers((id) => wanted.has(id) || wires.made.has(id));
        world.retries.over(SWEEP);
        if (swept.length > 0)
          world.log.info("removed unclaimed wires from before the restart", { wires: swept.length });
        return;
      } catch (error) {
        if (!(error instanceof NetloomError) || scope.ended) throw error;
        world.retries.failed(SWEEP, error);
        world.log.warn("unclaimed wires cannot be removed yet", { error: error.message });
      }
    }
  }
}

function telling({ attached, kept, observedGeneration }: Running): AttachmentRecord {
  return { attached, generation: kept.generation, observedGeneration };
}
