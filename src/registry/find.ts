/** Find over a catalog, as messages for those in this process and as bytes for those on the wire. */
import type { Served } from "../api/rpc.ts";
import { type Watch, watchOf } from "../async/watch.ts";
import type { Incoming } from "../world/hops.ts";
import { type Peer, SELF } from "../world/peer.ts";
import { AnswerWriter } from "./watch/answer-bytes.ts";
import type { Catalog } from "./catalog.ts";
import type { EntryKind, Listed } from "./entry-kind.ts";

export interface FindOptions<T, Q, A, R extends Listed> {
  readonly kind: EntryKind<T, Q, A>;
  readonly catalog: Catalog<T, R>;
  /** Throws if `peer` may not look for that. Default: this process asks itself. */
  readonly may?: (peer: Peer, query: Q) => void;
  /** Asked before a watch is opened: throws if there are too many. */
  readonly admit?: () => void;
}

/**
 * Without `watch` the matches, then the end. With it the matches, every change of them, every refresh, and what is gone
 * as it was last, until the caller closes it; one who reads too slowly is cut.
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

  /** The same as encoded answers. */
  findBytes(query: Uint8Array, peer: Peer): Watch<Uint8Array> {
    const { kind, catalog } = this.#options;
    const writer = new AnswerWriter();
    const read = kind.readQuery(query);
    this.#options.may?.(peer, read);
    // A find is over soon: it looks at the clock once.
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

/** Lets functions over bytes answer the streams of a service in place of its own implementation, by their full names. */
export function withBytes(
  served: Served,
  streams: Readonly<Record<string, (query: Uint8Array, peer: Peer) => Watch<Uint8Array>>>,
): Served {
  const { handler } = served;
  const watch = (incoming: Incoming): Watch<Uint8Array> =>
    streams[incoming.method]?.(incoming.bytes, incoming.peer) ?? handler.watch(incoming);
  return { ...served, handler: { ...handler, watch } };
}

/** What is known of one that is gone, beside what it was. */
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
