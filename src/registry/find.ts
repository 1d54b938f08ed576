/** Find over a catalog, as messages for those in this process and as bytes for those on the wire. */
import type { Served } from "../api/rpc.ts";
import { mapWatch } from "../api/rpc.ts";
import { NetloomError } from "../world/errors.ts";
import type { Watch } from "../world/kernel.ts";
import type { Incoming } from "../world/world.ts";
import { answerBytes } from "./answer-bytes.ts";
import type { Catalog } from "./catalog.ts";
import type { EntryKind, Listed } from "./entry-kind.ts";

/** Something to tell a peer that asked. */
export interface Found<R> {
  readonly entry: R;
  readonly deleted: boolean;
}

export interface FindOptions<T, Q, A, R extends Listed> {
  readonly kind: EntryKind<T, Q, A>;
  readonly catalog: Catalog<T, R>;
  /** When an entry expires, on `Clock.wallMs`. */
  readonly expiresAtMs?: (name: string) => number | undefined;
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

  find(query: Q): Watch<A> {
    const { kind, expiresAtMs } = this.#options;
    return mapWatch(this.#open(query), ({ entry, deleted }) => {
      const message = kind.entryOf(entry);
      const atMs = deleted ? undefined : expiresAtMs?.(entry.name);
      return kind.answer(atMs === undefined ? message : kind.expiring(message, atMs), deleted);
    });
  }

  /** The same as encoded answers. */
  findBytes(query: Uint8Array): Watch<Uint8Array> {
    const { expiresAtMs } = this.#options;
    return mapWatch(this.#open(this.#read(query)), ({ entry, deleted }) =>
      answerBytes(entry.bytes, { deleted, expiresAtMs: deleted ? undefined : expiresAtMs?.(entry.name) }),
    );
  }

  #open(query: Q): Watch<Found<R>> {
    const { kind, catalog, admit } = this.#options;
    const { like, watch } = kind.queryOf(query);
    if (!watch) return listed(catalog.find(like));
    admit?.();
    const events = catalog.watch(like, { overflow: "cut", touches: true });
    return {
      next: async () => {
        for (;;) {
          const event = await events.next();
          if (!event) return undefined;
          if (event.type === "found") return { entry: event.entry, deleted: false };
          if (event.type === "removed") return { entry: event.entry, deleted: true };
        }
      },
      close: () => events.close(),
    };
  }

  #read(bytes: Uint8Array): Q {
    try {
      return this.#options.kind.readQuery(bytes);
    } catch (error) {
      const why = error instanceof Error ? error.message : "malformed";
      throw new NetloomError("INVALID_ARGUMENT", `read a query for ${this.#options.kind.noun}s: ${why}`, {
        cause: error,
      });
    }
  }
}

/** Lets functions over bytes answer the streams of a service in place of its own implementation, by their full names. */
export function withBytes(
  served: Served,
  streams: Readonly<Record<string, (query: Uint8Array) => Watch<Uint8Array>>>,
): Served {
  const { handler } = served;
  const watch = (incoming: Incoming): Watch<Uint8Array> =>
    streams[incoming.method]?.(incoming.bytes) ?? handler.watch(incoming);
  return { ...served, handler: { ...handler, watch } };
}

function listed<R>(entries: Iterator<R>): Watch<Found<R>> {
  let isOpen = true;
  return {
    next: () => {
      const { value, done } = isOpen ? entries.next() : { value: undefined, done: true };
      return Promise.resolve(done ? undefined : { entry: value as R, deleted: false });
    },
    close: () => (isOpen = false),
  };
}
