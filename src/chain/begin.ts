/**
 * The entry of every chain. Upstream: sdk/pkg/networkservice/common/begin, sdk/pkg/registry/common/begin.
 *
 * Guarantees
 * - Serial: requests and closes of one id run one at a time, in the order of their arrival; other ids are not held up.
 * - Owned: an id belongs to the peer that established it. `admit` decides who enters its queue, before anything waits there.
 * - Bounded: at most `maxWaiting` calls wait for one id (RESOURCE_EXHAUSTED).
 * - In time: a request is not begun if its caller has gone or its deadline has passed when its turn comes. If the
 *   caller of a first request leaves while the request runs, the resource is closed.
 * - A close that has begun runs to its end even if its caller leaves: it has a deadline of its own.
 * - Closed once: an established resource is closed exactly once, with its last known state, even if its client sends an old
 *   state. A first request that fails is closed down the chain before its error goes back. Closing an unknown id succeeds.
 * - A bug in a call that the chain itself started is logged, and its starter gets an operating error.
 * - A failed refresh leaves the resource established.
 * - The caller's message is never changed: the chain gets a clone.
 */
import { type Log, withFields } from "../observe/log.ts";
import { readTraceHeaders } from "../observe/trace-context.ts";
import { within } from "../observe/trace.ts";
import type { Incoming } from "../world/hops.ts";
import { NetloomError, operatingError } from "../errors/errors.ts";
import type { World } from "../world/world.ts";
import type { Peer, Principal } from "../world/peer.ts";
import { type Call, type CloseReason, Memory, type Trigger } from "./call.ts";
import type { Station } from "./element.ts";

/** A request and its result. */
interface Established<Q, R> {
  readonly request: Q;
  readonly resource: R;
}

/** The operations that `begin` needs for one kind of resource. */
export interface ResourceKind<Q, R> {
  /** For messages: `connection`, `endpoint`. */
  readonly noun: string;
  idOf(request: Q): string;
  idOfResource(resource: R): string;
  cloneRequest(request: Q): Q;
  cloneResource(resource: R): R;
  /** Whether the caller asks to close the connection to the present endpoint first. */
  wantsReselect(request: Q): boolean;
  /** The resource for a close after a failed first request, as far as the request knew it. */
  unestablished(request: Q): R;
  /** The request for a refresh that the chain itself starts. */
  again(last: Established<Q, R>, options: { readonly reselect: boolean }): Q;
  /** The request that goes down the chain when an established resource is requested again. Default: the request as it is. */
  merge?(request: Q, last: Established<Q, R>): Q;
  /** After a failed reselect the chain can request the resource again. For clients. Default: false. */
  readonly heals?: boolean;
  /** The reason of a close, if the message has one. Default: `asked`. */
  closeReason?(resource: R): CloseReason;
}

/** A call from outside, before it waits for its turn. */
export type Admission<Q, R> = {
  readonly caller: Incoming;
  /** The owner of the id; `undefined` if it has none. */
  readonly owner: Principal | undefined;
} & ({ readonly verb: "request"; readonly request: Q } | { readonly verb: "close"; readonly resource: R });

export interface BeginOptions<Q, R> {
  /** Throws for a call that its caller may not make. Not called for calls that the chain itself starts. */
  readonly admit: (asked: Admission<Q, R>) => void;
  /** Most calls that wait for one id. Default: 128. */
  readonly maxWaiting?: number;
  /** Time limit of a request or close that the chain itself started. Default: 15,000 ms. */
  readonly timeoutMs?: number;
  /** Name of the station, for the log. */
  readonly name?: string;
  /** Called when `begin` forgets an id. */
  readonly onForget?: (id: string) => void;
}

interface Entry<Q, R> {
  readonly id: string;
  readonly peer: Peer;
  tail: Promise<unknown>;
  waiting: number;
  /** From the first request to the close. A request after the close makes a new `Life`. */
  life: Life<Q, R> | undefined;
}

interface Life<Q, R> {
  readonly memory: Memory;
  readonly log: Log;
  readonly trigger: Trigger;
  last: Established<Q, R> | undefined;
  /** Whether the chain holds the resource. If false, a `heals` kind requests `last` again. */
  isOpen: boolean;
}

/** A chain behind its entry. */
export class Begin<Q, R> {
  readonly #entries = new Map<string, Entry<Q, R>>();
  readonly #world: World;
  readonly #kind: ResourceKind<Q, R>;
  readonly #chain: Station<Q, R>;
  readonly #maxWaiting: number;
  readonly #timeoutMs: number;
  readonly #admit: BeginOptions<Q, R>["admit"];
  readonly #onForget: (id: string) => void;
  readonly #name: string | undefined;

  constructor(world: World, kind: ResourceKind<Q, R>, chain: Station<Q, R>, options: BeginOptions<Q, R>) {
    this.#world = world;
    this.#kind = kind;
    this.#chain = chain;
    this.#maxWaiting = options.maxWaiting ?? 128;
    this.#timeoutMs = options.timeoutMs ?? 15_000;
    this.#admit = options.admit;
    this.#onForget = options.onForget ?? (() => undefined);
    this.#name = options.name;
  }

  /** The resources that are established now, in the order of their first request. */
  established(): R[] {
    return [...this.#entries.values()].flatMap((entry) =>
      entry.life?.last && entry.life.isOpen ? [entry.life.last.resource] : [],
    );
  }

  async request(caller: Incoming, request: Q): Promise<R> {
    const id = this.#kind.idOf(request);
    if (id === "") throw new NetloomError("INVALID_ARGUMENT", `request ${this.#kind.noun}: its id is empty`);
    const known = this.#entries.get(id);
    this.#admit({ verb: "request", caller, owner: known?.peer.principal, request });
    const own = known ?? this.#open(id, caller.peer);
    this.#assertRoom(own);
    return this.#queue(own, () => {
      this.#assertWaiting(own, caller);
      return this.#request(own, caller, request);
    });
  }

  async close(caller: Incoming, resource: R): Promise<void> {
    const entry = this.#entries.get(this.#kind.idOfResource(resource));
    this.#admit({ verb: "close", caller, owner: entry?.peer.principal, resource });
    if (!entry) return;
    this.#assertRoom(entry);
    const reason = this.#kind.closeReason?.(resource) ?? "asked";
    await this.#queue(entry, () => this.#close(entry, { reason, ...withMetadata(caller) }));
  }

  /** Closes an id on this process's own initiative, whoever owns it. An unknown id is a success. */
  async drop(id: string): Promise<void> {
    const entry = this.#entries.get(id);
    if (entry) await this.#queue(entry, () => this.#close(entry, { reason: "asked" }));
  }

  /** Runs `task` while no call of this id runs. Meanwhile an id without owner belongs to `peer`. */
  async inTurn(id: string, peer: Peer, task: () => Promise<void>): Promise<void> {
    const entry = this.#entries.get(id) ?? this.#open(id, peer);
    await this.#queue(entry, task);
  }

  /** Ids of all resources that are established, or about to be. */
  ids(): string[] {
    return [...this.#entries.keys()];
  }

  /** `Trigger.afterwards` for the resource with this id. */
  async afterwards(id: string, task: () => void): Promise<void> {
    const entry = this.#entries.get(id);
    if (!entry) return;
    await this.#queue(entry, async () => {
      if (entry.life?.last) this.#tell(entry, task);
    });
  }

  #tell({ id }: Entry<Q, R>, task: () => void): void {
    try {
      task();
    } catch (error) {
      this.#tellBug(`notify about ${this.#kind.noun} ${id}`, error);
    }
  }

  /** Logs an unexpected error of a task that the chain itself started. The task counts as failed and is retried. */
  #tellBug(what: string, error: unknown): void {
    this.#world.log.error(`bug in a ${this.#kind.noun}`, { station: this.#name, what }, error);
  }

  /** Runs `task`; logs a bug in it and turns the bug into an operating error. */
  async #guard<T>(what: string, task: () => Promise<T>): Promise<T> {
    try {
      return await task();
    } catch (error) {
      if (error instanceof NetloomError) throw error;
      this.#tellBug(what, error);
      throw operatingError(what, error);
    }
  }

  #open(id: string, peer: Peer): Entry<Q, R> {
    const entry = { id, peer, tail: Promise.resolve(), waiting: 0, life: undefined };
    this.#entries.set(id, entry);
    return entry;
  }

  #assertWaiting(entry: Entry<Q, R>, caller: Incoming): void {
    const what = `request ${this.#kind.noun} ${entry.id}`;
    if (caller.deadlineMs <= this.#world.clock.monotonicMs()) {
      throw new NetloomError("DEADLINE_EXCEEDED", `${what}: the deadline had passed before its turn came`);
    }
    if (caller.scope.ended) throw new NetloomError("CANCELLED", `${what}: the caller has gone`);
  }

  #assertRoom({ id, waiting }: Entry<Q, R>): void {
    if (waiting < this.#maxWaiting) return;
    throw new NetloomError(
      "RESOURCE_EXHAUSTED",
      `${this.#kind.noun} ${id}: ${waiting} calls are waiting already`,
      { hint: "send one request at a time for one id" },
    );
  }

  #queue<T>(entry: Entry<Q, R>, task: () => Promise<T>): Promise<T> {
    entry.waiting++;
    const run = entry.tail.then(task).finally(() => {
      entry.waiting--;
      // A trigger may come after the close, when the id has a new entry.
      if (entry.waiting > 0 || entry.life || this.#entries.get(entry.id) !== entry) return;
      this.#entries.delete(entry.id);
      this.#onForget(entry.id);
    });
    entry.tail = run.catch(() => undefined);
    return run;
  }

  async #request(entry: Entry<Q, R>, caller: Incoming, given: Q, why = "request"): Promise<R> {
    const life = (entry.life ??= this.#begin(entry));
    let request = this.#kind.cloneRequest(given);
    if (life.last && this.#kind.merge) request = this.#kind.merge(request, life.last);
    if (life.last && life.isOpen && this.#kind.wantsReselect(request)) {
      await this.#chainClose(entry, life, life.last.resource);
    }
    try {
      const resource = await this.#enter(entry, { life, caller, why }, (call) =>
        this.#chain.request(call, this.#kind.cloneRequest(request)),
      );
      if (!life.isOpen) this.#assertWaiting(entry, caller);
      life.last = { request, resource: this.#kind.cloneResource(resource) };
      life.isOpen = true;
      return resource;
    } catch (error) {
      if (!life.isOpen) await this.#abandon(entry, life, request);
      throw error;
    }
  }

  /** Closes a resource that was never established or that a reselect closed, and forgets it unless its kind heals. */
  async #abandon(entry: Entry<Q, R>, life: Life<Q, R>, request: Q): Promise<void> {
    const resource = this.#kind.unestablished(request);
    try {
      await this.#chainClose(entry, life, resource);
    } finally {
      if (life.last && this.#kind.heals) life.last = { request, resource };
      else entry.life = undefined;
    }
  }

  async #close(entry: Entry<Q, R>, how: Pick<Call, "reason" | "metadata">): Promise<void> {
    const life = entry.life;
    if (!life?.last) return;
    const { resource } = life.last;
    entry.life = undefined;
    if (!life.isOpen) return;
    await this.#internally(entry, (caller) =>
      this.#enter(entry, { life, caller: { ...caller, ...how }, why: "close" }, (call) =>
        this.#chain.close(call, this.#kind.cloneResource(resource)),
      ),
    );
  }

  /** A close within a request. An error of the close does not fail the request: it is logged. */
  async #chainClose(entry: Entry<Q, R>, life: Life<Q, R>, resource: R): Promise<void> {
    life.isOpen = false;
    try {
      await this.#internally(entry, (caller) =>
        this.#enter(entry, { life, caller, why: "close" }, (call) =>
          this.#chain.close(call, this.#kind.cloneResource(resource)),
        ),
      );
    } catch (error) {
      if (error instanceof NetloomError)
        return life.log.debug("a close within a request has failed", { error: error.message });
      this.#tellBug(`close ${this.#kind.noun} ${entry.id}`, error);
    }
  }

  #begin(entry: Entry<Q, R>): Life<Q, R> {
    const life: Life<Q, R> = {
      memory: new Memory(),
      log: withFields(this.#world.log, { station: this.#name, [this.#kind.noun]: entry.id }),
      last: undefined,
      isOpen: false,
      trigger: this.#trigger(entry, () => (entry.life === life ? life : undefined)),
    };
    return life;
  }

  /** `current` returns the `Life` that the trigger was made for; `undefined` after its close. */
  #trigger(entry: Entry<Q, R>, current: () => Life<Q, R> | undefined): Trigger {
    const name = `${this.#kind.noun} ${entry.id}`;
    const inTurn = (what: string, task: () => Promise<void>): Promise<void> =>
      this.#guard(`${what} ${name}`, () => this.#queue(entry, task));
    return {
      request: ({ why, reselect = false }) =>
        inTurn("request again", async () => {
          const last = current()?.last;
          if (!last) return;
          const request = this.#kind.again(last, { reselect });
          await this.#internally(entry, (caller) => this.#request(entry, caller, request, why));
        }),
      close: ({ reason = "asked", isDue = () => true } = {}) =>
        inTurn("close", async () => {
          if (current() && isDue()) await this.#close(entry, { reason });
        }),
      afterwards: (task) =>
        this.#queue(entry, async () => {
          if (current()?.last) this.#tell(entry, task);
        }),
      guard: (what, task) => this.#guard(`${what} of ${name}`, task),
    };
  }

  /** Runs a call that the chain itself starts, with a deadline of its own. */
  async #internally<T>(entry: Entry<Q, R>, task: (caller: Incoming) => Promise<T>): Promise<T> {
    const scope = this.#world.scope.child(`${this.#kind.noun} ${entry.id}`, { timeoutMs: this.#timeoutMs });
    try {
      return await task({
        scope,
        deadlineMs: this.#world.clock.monotonicMs() + this.#timeoutMs,
        peer: entry.peer,
      });
    } finally {
      await scope.end();
    }
  }

  /** Passes a call to the chain, in a span that continues the caller's trace. */
  async #enter<T>(
    { id }: Entry<Q, R>,
    {
      life,
      caller,
      why,
    }: { readonly life: Life<Q, R>; readonly caller: Incoming & Pick<Call, "reason">; readonly why: string },
    task: (call: Call) => Promise<T>,
  ): Promise<T> {
    const { noun } = this.#kind;
    const parent = readTraceHeaders(caller.metadata ?? {});
    const span = this.#world.trace.begin(`${this.#name ?? noun} ${why}`, {
      ...(parent && { parent }),
      attributes: { [noun]: id },
    });
    const { memory, trigger, log } = life;
    return await within(span, () => task({ world: this.#world, ...caller, memory, trigger, span, log }));
  }
}

function withMetadata({ metadata }: Incoming): Pick<Call, "metadata"> {
  return metadata ? { metadata } : {};
}
