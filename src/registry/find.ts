/** Answers Find from a catalog: as messages for this process, and as bytes for the network. */
import type { Served } from "../api/rpc.ts";
import { type Watch, watchOf } from "../async/watch.ts";
import type { IncomingMessage } from "../world/hops.ts";
import { type Peer, SELF } from "../world/peer.ts";
import { AnswerWriter } from "./watch/answer-bytes.ts";
import type { Catalog } from "./catalog.ts";
import type { EntryKind, Listed } from "./entry-kind.ts";

export interface FindOptions<T, Q, A, R extends Listed> {
  readonly kind: EntryKind<T, Q, A>;
  readonly catalog: Catalog<T, R>;
  /** Throws if `peer` may not make this query. Default: only this process asks. */
  readonly may?: (peer: Peer, query: Q) => void;
  /** Called before a watch is opened: throws if there are too many. */
  readonly admit?: () => void;
}

/**
 * Without `watch` the answers are the matches, then the stream ends. With `watch` they are the matches, then every change and
 * every refresh, and removed entries in their last form, until the caller closes the stream. A reader that is too slow is cut
 * off.
 */
export class Finder<T, Q, A, R extends Listed = Listed> {
  readonly #options: FindOptions<T, Q, A, R>;

  constructor(options: FindOptions<T, Q, A, R>) {
    this.#options = options;
  }

  find(query: Q, peer: Peer = SELF): Watch<A> {
    const { kind, catalog } = this.#options;
    this.#options.may?.(peer, query);
    return this.#open(query, (entry, gone) => {
      const message = kind.entryOf(entry);
      const atMs = gone ? gone.expiresAtMs : catalog.expirations()(entry.name);
      return kind.answer(atMs === undefined ? message : kind.expiring(message, atMs), gone !== undefined);
    });
  }

  /** Like `find`, with encoded answers. */
  findBytes(query: Uint8Array, peer: Peer): Watch<Uint8Array> {
    const { kind, catalog } = this.#options;
    const writer = new AnswerWriter();
    const read = kind.readQuery(query);
    this.#options.may?.(peer, read);
    // A find without watch is short: it reads the clock once.
    const once = kind.queryOf(read).watch ? undefined : catalog.expirations();
    return this.#open(read, ({ name, bytes }, gone) =>
      writer.write(
        bytes,
        gone ? gone.expiresAtMs : (once ?? catalog.expirations())(name),
        gone !== undefined,
      ),
    );
  }

  #open<B>(query: Q, tell: (entry: R, gone?: Gone) => B): Watch<B> {
    const { kind, catalog, admit } = this.#options;
    const { like, watch } = kind.queryOf(query);
    if (!watch) return listed(catalog.find(like), tell);
    admit?.();
    return catalog.watch(like, { overflow: "cut", touches: true }).map((event) => {
      if (event.type === "found") return tell(event.entry);
      return event.type === "removed" ? tell(event.entry, event) : undefined;
    });
  }
}

/** Replaces streams of a service, by their full method names, with functions over bytes. */
export function withBytes(
  served: Served,
  streams: Readonly<Record<string, (query: Uint8Array, peer: Peer) => Watch<Uint8Array>>>,
): Served {
  const { handler } = served;
  const watch = (incoming: IncomingMessage): Watch<Uint8Array> =>
    streams[incoming.method]?.(incoming.bytes, incoming.peer) ?? handler.watch(incoming);
  return { ...served, handler: { ...handler, watch } };
}

/** Facts about a removed entry, beside its last form. */
interface Gone {
  readonly expiresAtMs: number | undefined;
}

function listed<R, B>(entries: Iterator<R>, tell: (entry: R) => B): Watch<B> {
  let isOpen = true;
  return watchOf({
    take: () => {
      const next = isOpen ? entries.next() : undefined;
      return Promise.resolve(next && !next.done ? tell(next.value) : undefined);
    },
    close: () => (isOpen = false),
  });
}
