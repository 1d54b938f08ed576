/**
 * Makes several registries of one mesh, which share a store, look like one.
 *
 * Guarantees
 * - New work goes to the first registry of the list that is not resting. A registry that is gone or silent rests, at first for
 *   seconds, then for up to a minute: nobody waits for it each time, and it gets work again after it has come back.
 * - A call that one registry does not answer goes to the next one within the same call, as long as its time lasts; so does a
 *   stream without any answer yet. Registries accept the same registration twice.
 * - Each registry that gets a message gets a token of its own: its identity is asked for before the message is sent.
 * - A stream stays with its registry until it breaks: there is no going back and forth.
 * - With a single registry nothing changes.
 */
import { backoffMs } from "../async/backoff.ts";
import { type Watch, watchOf } from "../async/watch.ts";
import { hasCode, type NetloomError } from "../errors/errors.ts";
import type { Hop, Hops, Message, SeveralHops, Waiting } from "../world/hops.ts";
import type { World } from "../world/world.ts";

const REST = { firstMs: 5000, lastMs: 60_000 } as const;

export interface RegistryHop extends SeveralHops {
  /** URLs of all registries, in their order. */
  readonly urls: readonly string[];
  /** URL of the registry that gets new work now. */
  readonly url: string;
}

type Surroundings = Pick<World, "clock" | "random" | "log">;

export interface DialRegistriesOptions {
  readonly world: Surroundings;
  readonly hops: Pick<Hops, "dial">;
  /** In this host's order of preference. At least one. */
  readonly urls: readonly string[];
}

export function dialRegistries({ world, hops, urls }: DialRegistriesOptions): RegistryHop {
  return new SeveralRegistries(
    world,
    urls.map((url) => new Registry(url, hops.dial(url), world)),
  );
}

class Registry {
  readonly url: string;
  readonly hop: Hop;
  readonly #world: Surroundings;
  #failures = 0;
  /** On `Clock.monotonicMs`. */
  restsUntilMs = -Infinity;

  constructor(url: string, hop: Hop, world: Surroundings) {
    this.url = url;
    this.hop = hop;
    this.#world = world;
  }

  works(): void {
    if (this.#failures > 0) this.#world.log.info("a registry answers again", { registry: this.url });
    this.#failures = 0;
    this.restsUntilMs = -Infinity;
  }

  fails({ message }: NetloomError): void {
    const nowMs = this.#world.clock.monotonicMs();
    // Many calls may fail at the same time: count them once.
    if (this.restsUntilMs > nowMs) return;
    this.#failures += 1;
    if (this.#failures === 1)
      this.#world.log.warn("a registry does not answer", { registry: this.url, problem: message });
    const fraction = this.#world.random.fraction(`rest of ${this.url}`, this.#failures);
    this.restsUntilMs = nowMs + backoffMs(this.#failures, fraction, REST);
  }
}

class SeveralRegistries implements RegistryHop {
  readonly #world: Pick<World, "clock">;
  readonly #all: readonly Registry[];

  constructor(world: Pick<World, "clock">, all: readonly Registry[]) {
    this.#world = world;
    this.#all = all;
  }

  get urls(): readonly string[] {
    return this.#all.map(({ url }) => url);
  }

  get url(): string {
    return this.#inTurn()[0]?.url ?? "";
  }

  call(method: string, request: Message, options: Waiting): Promise<Message> {
    return this.ask(options, (hop, own) => hop.call(method, request, own));
  }

  async ask<T>(options: Waiting, ask: (hop: Hop, options: Waiting) => Promise<T>): Promise<T> {
    const { clock } = this.#world;
    const deadlineMs = clock.monotonicMs() + options.timeoutMs;
    const turns = this.#inTurn();
    for (let turn = 0; ; turn++) {
      const registry = this.#at(turns, turn);
      const isLast = turn === turns.length - 1;
      const leftMs = deadlineMs - clock.monotonicMs();
      try {
        const answer = await ask(registry.hop, { ...options, timeoutMs: isLast ? leftMs : leftMs / 2 });
        registry.works();
        return answer;
      } catch (error) {
        if (!isGone(error)) throw error;
        registry.fails(error);
        if (isLast || options.scope?.ended) throw error;
      }
    }
  }

  watch(method: string, request: Message): Watch<Uint8Array> {
    const turns = this.#inTurn();
    let turn = 0;
    let isOpen = true;
    let hasTold = false;
    let answers = this.#at(turns, turn).hop.watch(method, request);
    return watchOf({
      take: async () => {
        for (;;) {
          const registry = this.#at(turns, turn);
          try {
            const answer = await answers.take();
            if (isOpen) registry.works();
            hasTold = true;
            return answer;
          } catch (error) {
            if (!isGone(error)) throw error;
            registry.fails(error);
            turn += 1;
            if (hasTold || !isOpen || turn === turns.length) throw error;
            answers.close();
            answers = this.#at(turns, turn).hop.watch(method, request);
          }
        }
      },
      close: () => {
        isOpen = false;
        answers.close();
      },
    });
  }

  /** Registries that do not rest in their order, then the others by the end of their rest. */
  #inTurn(): Registry[] {
    const nowMs = this.#world.clock.monotonicMs();
    const restOf = ({ restsUntilMs }: Registry): number => Math.max(0, restsUntilMs - nowMs);
    return this.#all.toSorted((a, b) => restOf(a) - restOf(b));
  }

  #at(turns: readonly Registry[], turn: number): Registry {
    const registry = turns[turn];
    if (!registry) throw new TypeError("a mesh has a registry");
    return registry;
  }
}

/** The registry is gone, silent, or cannot reach its store. */
function isGone(error: unknown): error is NetloomError {
  return hasCode(error, "UNAVAILABLE", "DEADLINE_EXCEEDED");
}
