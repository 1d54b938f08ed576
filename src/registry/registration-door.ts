/**
 * The entry of a registry's chain. Unlike `begin` it keeps no state of a name between calls: registrations outlive the process,
 * so that no first call begins anything.
 *
 * Guarantees
 * - Serial: calls for one name run one at a time, in the order of their arrival; other names are not held up.
 * - Bounded: at most `MAX_WAITING` calls wait for one name (RESOURCE_EXHAUSTED).
 * - A registration is not begun if its caller has gone, or its deadline has passed, when its turn comes.
 */
import { withFields } from "../observe/log.ts";
import { readTraceHeaders } from "../observe/trace-context.ts";
import { within } from "../observe/trace.ts";
import type { Incoming } from "../world/hops.ts";
import { Memory, type Call, type Trigger } from "../chain/call.ts";
import type { Station } from "../chain/element.ts";
import { NetloomError } from "../errors/errors.ts";
import type { World } from "../world/world.ts";
import type { Cataloged } from "./catalog.ts";
import { checkName } from "./names/names.ts";

const MAX_WAITING = 256;

/** A registration starts no calls by itself. */
const NO_TRIGGER: Readonly<Trigger> = {
  request: () => Promise.resolve(),
  close: () => Promise.resolve(),
  afterwards: () => Promise.resolve(),
  guard: (_what, task) => task(),
};

interface Queue {
  /** The last call in the queue. */
  tail: Promise<unknown> | undefined;
  waiting: number;
}

export class RegistrationDoor<T> {
  readonly #world: World;
  readonly #kind: Cataloged<T>;
  readonly #chain: Station<T, T>;
  readonly #queues = new Map<string, Queue>();

  constructor(world: World, kind: Cataloged<T>, chain: Station<T, T>) {
    this.#world = world;
    this.#kind = kind;
    this.#chain = chain;
  }

  async request(caller: Incoming, entry: T): Promise<T> {
    const { name } = this.#kind.keysOf(entry);
    checkName(`register ${this.#kind.noun}`, name);
    return await this.#queue(name, async () => {
      this.#assertWaiting(name, caller);
      return await this.#enter(caller, name, "register", (call) => this.#chain.request(call, entry));
    });
  }

  /** Unregisters. Succeeds for an unknown name. */
  async close(caller: Incoming, entry: T): Promise<void> {
    const { name } = this.#kind.keysOf(entry);
    checkName(`unregister ${this.#kind.noun}`, name);
    await this.#queue(name, () =>
      this.#enter(caller, name, "unregister", (call) => this.#chain.close(call, entry)),
    );
  }

  /** Passes a call to the chain, in a span that continues the caller's trace. */
  async #enter<R>(
    { scope, deadlineMs, peer, metadata }: Incoming,
    name: string,
    why: string,
    task: (call: Call) => Promise<R>,
  ): Promise<R> {
    const { noun } = this.#kind;
    const parent = readTraceHeaders(metadata ?? {});
    const span = this.#world.trace.begin(`${why} ${noun}`, {
      ...(parent && { parent }),
      attributes: { [noun]: name },
    });
    const call: Call = {
      world: this.#world,
      scope,
      deadlineMs,
      peer,
      ...(metadata && { metadata }),
      memory: new Memory(),
      span,
      log: withFields(this.#world.log, { [noun]: name }),
      trigger: NO_TRIGGER,
    };
    return await within(span, () => task(call));
  }

  #assertWaiting(name: string, { scope, deadlineMs }: Incoming): void {
    const what = `register ${this.#kind.noun} ${name}`;
    if (scope.ended) throw new NetloomError("CANCELLED", `${what}: the caller has gone`);
    if (deadlineMs <= this.#world.clock.monotonicMs())
      throw new NetloomError("DEADLINE_EXCEEDED", `${what}: the deadline had passed before its turn came`);
  }

  async #queue<R>(name: string, task: () => Promise<R>): Promise<R> {
    let queue = this.#queues.get(name);
    if (!queue) this.#queues.set(name, (queue = { tail: undefined, waiting: 0 }));
    if (queue.waiting >= MAX_WAITING) {
      throw new NetloomError(
        "RESOURCE_EXHAUSTED",
        `register ${this.#kind.noun} ${name}: ${queue.waiting} calls are waiting already`,
        { hint: "send one registration at a time for one name" },
      );
    }
    queue.waiting += 1;
    const run = queue.tail ? queue.tail.then(task, task) : task();
    queue.tail = run;
    try {
      return await run;
    } finally {
      queue.waiting -= 1;
      if (queue.waiting === 0) this.#queues.delete(name);
    }
  }
}
