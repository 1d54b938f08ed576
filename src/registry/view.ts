/** A manager's answers to Find: from its cache, as this host sees the entries. */
import { NetloomError } from "../errors/errors.ts";
import { type Watch, watchOf } from "../async/watch.ts";
import type { Scope } from "../async/scope.ts";
import type { World } from "../world/world.ts";
import type { Catalog } from "./catalog.ts";
import type { EntryKind } from "./entry-kind.ts";
import { Finder } from "./find.ts";
import type { WatchCache } from "./watch/watch-cache.ts";

/** Time limit for asking the registry about entries that the cache lacks. */
const ASK_MS = 2000;

export interface ViewOptions<T, Q, A> {
  readonly world: World;
  readonly kind: EntryKind<T, Q, A>;
  readonly cache: WatchCache;
  readonly catalog: Catalog<T>;
  /** Asks the registry itself. */
  readonly ask: (scope: Scope, query: Q) => Watch<A>;
  /** An entry as this host sees it; `undefined` if it does not see the entry. May change the entry. */
  readonly seen: (entry: T, isDeleted: boolean) => T | undefined;
}

/**
 * Guarantees
 * - Known entries are answered from memory. A query for a name or a service without known entries goes to the registry: an entry
 *   may have come this very moment.
 * - As long as nothing at all is known, the registry is asked, and its error is the answer. A watch waits instead.
 */
export class View<T, Q, A> {
  readonly #options: ViewOptions<T, Q, A>;
  readonly #finder: Finder<T, Q, A>;

  constructor(options: ViewOptions<T, Q, A>) {
    this.#options = options;
    this.#finder = new Finder({ kind: options.kind, catalog: options.catalog });
  }

  find(scope: Scope, query: Q): Watch<A> {
    const { kind } = this.#options;
    if (kind.queryOf(query).watch) return this.#translated(this.#finder.find(query));
    return deferred(() => this.#findOnce(scope, query));
  }

  async #findOnce(scope: Scope, query: Q): Promise<Watch<A>> {
    const { world, kind, cache } = this.#options;
    if (!cache.isKnown) return listOf(await this.#askRegistry(scope, query));
    const known = await this.#translated(this.#finder.find(query)).all();
    const { name, services } = kind.keysOf(kind.queryOf(query).like);
    const isNarrow = name !== "" || services.length > 0;
    if (known.length > 0 || !isNarrow || !cache.isFresh) return listOf(known);
    try {
      return listOf(await this.#askRegistry(scope, query));
    } catch (error) {
      // The registry has gone since the cache was fresh.
      if (!(error instanceof NetloomError)) throw error;
      world.log.debug("the registry cannot be asked; what is known is answered", { error: error.message });
      return listOf(known);
    }
  }

  async #askRegistry(scope: Scope, query: Q): Promise<A[]> {
    const asking = scope.child("ask the registry", { timeoutMs: ASK_MS });
    const answers = this.#translated(this.#options.ask(asking, query));
    try {
      const found: A[] = [];
      for await (const answer of answers.within(asking)) found.push(answer);
      if (!asking.ended) {
        this.#options.cache.reached();
        return found;
      }
      throw new NetloomError("UNAVAILABLE", `find ${this.#options.kind.noun}s: the registry does not answer`);
    } finally {
      await asking.end();
    }
  }

  #translated(answers: Watch<A>): Watch<A> {
    const { kind, seen } = this.#options;
    return answers.map((answer) => {
      const { entry, deleted } = kind.answered(answer);
      const own = entry && seen(entry, deleted);
      return own && kind.answer(own, deleted);
    });
  }
}

function listOf<A>(answers: readonly A[]): Watch<A> {
  const left = answers.values();
  return watchOf({
    take: () => Promise.resolve(left.next().value),
    close: () => undefined,
  });
}

/** A watch that is opened when it is first read. */
function deferred<A>(open: () => Promise<Watch<A>>): Watch<A> {
  let opened: Promise<Watch<A>> | undefined;
  let isOpen = true;
  return watchOf({
    take: async () => {
      if (!isOpen) return undefined;
      opened ??= open();
      const answers = await opened;
      return isOpen ? await answers.take() : undefined;
    },
    close: () => (isOpen = false),
  });
}
