/** The stream for Netloom's own managers: the Watch of netloom.registry.v1.Registry. */
import { create } from "@bufbuild/protobuf";
import { type Changes, ChangesSchema } from "../../api/gen/netloom/registry_pb.js";
import type { NetworkService, NetworkServiceEndpoint } from "../../api/gen/nsm/registry_pb.js";
import { Watch, watchOf } from "../../async/watch.ts";
import type { NetloomError } from "../../errors/errors.ts";
import type { CatalogEvent, CatalogWatch, WatchOptions } from "./catalog-watch.ts";
import type { Expirations } from "../catalog.ts";
import { endpointKind, type Listed, serviceKind } from "../entry-kind.ts";
import type { StoreView } from "../store-view.ts";

/** Limits of one message: entries, and roughly bytes. */
const MAX_BATCH = 500;
const MAX_BATCH_BYTES = 262_144;

interface Watched<T> {
  readonly expirations: Expirations;
  watch(like: T, options: WatchOptions): CatalogWatch<Listed>;
}

/** The sources of the stream: a `Catalog` of each kind. */
export interface Catalogs {
  readonly services: Watched<NetworkService>;
  readonly endpoints: Watched<NetworkServiceEndpoint>;
}

/**
 * Both catalogs as one stream: everything, then `synced`, then every change, many in one message. The first message has `reset`;
 * so has the message to a reader that was too slow: everything comes again. Refreshes are not reported; expiration times are
 * those at the time of the message.
 */
export function follow(catalogs: Catalogs, limit?: number): Watch<Changes> {
  return new ChangeStream(catalogs, limit);
}

/**
 * Like `follow`, for a registry that follows a store. The stream breaks when the view gets out of step, so that the follower may
 * go to another registry.
 */
export function followInStep(view: Pick<StoreView, "lost" | "onLost">, catalogs: Catalogs): Watch<Changes> {
  if (view.lost) throw view.lost;
  const stream = new ChangeStream(catalogs, undefined);
  const forget = view.onLost((reason) => stream.fail(reason));
  return watchOf({
    take: () => stream.take(),
    close: () => {
      forget();
      stream.close();
    },
  });
}

class ChangeStream extends Watch<Changes> {
  readonly #services: CatalogWatch<Listed>;
  readonly #endpoints: CatalogWatch<Listed>;
  readonly #expirations: Expirations;
  /** Number of the two lists that have been read to the end since the last reset. */
  #synced = 0;
  #hasTold = false;
  #isOpen = true;
  #failure: NetloomError | undefined;
  #wake: () => void = () => undefined;

  constructor({ services, endpoints }: Catalogs, limit: number | undefined) {
    super();
    const onNews = (): void => this.#wake();
    const options = { overflow: "resync", onNews, ...(limit !== undefined && { limit }) } as const;
    this.#services = services.watch(serviceKind.named(""), options);
    this.#endpoints = endpoints.watch(endpointKind.named(""), options);
    this.#expirations = () => endpoints.expirations();
  }

  async take(): Promise<Changes | undefined> {
    while (this.#isOpen) {
      if (this.#failure) throw this.#failure;
      const changes = this.#collect();
      if (changes) return changes;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    return undefined;
  }

  close(): void {
    this.#isOpen = false;
    this.#services.close();
    this.#endpoints.close();
    this.#wake();
  }

  fail(reason: NetloomError): void {
    this.#failure = reason;
    this.#wake();
  }

  /** All waiting changes, up to one full message. */
  #collect(): Changes | undefined {
    const expirationOf = this.#expirations();
    let batch = new Batch(!this.#hasTold);
    this.#hasTold = true;
    while (!batch.isFull) {
      const service = this.#services.takeNow();
      const event = service ?? this.#endpoints.takeNow();
      if (!event) break;
      if (event.type === "reset") {
        const other = service ? this.#endpoints : this.#services;
        other.restart();
        this.#synced = 0;
        batch = new Batch(true);
      } else if (event.type === "synced") {
        this.#synced += 1;
        batch.changes.synced ||= this.#synced === 2;
      } else if (service) {
        batch.addService(event);
      } else {
        batch.addEndpoint(event, expirationOf(event.entry.name));
      }
    }
    return batch.isEmpty ? undefined : batch.changes;
  }
}

type EntryEvent = Extract<CatalogEvent<Listed>, { readonly entry: Listed }>;

class Batch {
  readonly changes: Changes;
  #count = 0;
  #bytes = 0;

  constructor(reset: boolean) {
    this.changes = create(ChangesSchema, { reset });
  }

  get isFull(): boolean {
    return this.#count >= MAX_BATCH || this.#bytes >= MAX_BATCH_BYTES;
  }

  get isEmpty(): boolean {
    return this.#count === 0 && !this.changes.reset && !this.changes.synced;
  }

  addService({ type, entry }: EntryEvent): void {
    this.#count += 1;
    this.#bytes += entry.bytes.length;
    if (type === "found") this.changes.services.push(serviceKind.entryOf(entry));
    else this.changes.removedServices.push(entry.name);
  }

  addEndpoint({ type, entry }: EntryEvent, expiresAtMs: number | undefined): void {
    this.#count += 1;
    this.#bytes += entry.bytes.length;
    if (type !== "found") {
      this.changes.removedEndpoints.push(entry.name);
      return;
    }
    const endpoint = endpointKind.entryOf(entry);
    this.changes.endpoints.push(
      expiresAtMs === undefined ? endpoint : endpointKind.expiring(endpoint, expiresAtMs),
    );
  }
}
