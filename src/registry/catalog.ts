/**
 * Entries by name, by network service and by URL, and the watches on them. All in memory and synchronous. A registry keeps it in
 * front of its store, a manager fills it from its registry.
 */
import { CatalogWatch, type WatchOptions } from "./watch/catalog-watch.ts";
import type { StoreKeys, Listed } from "./entry-kind.ts";

/** The entries that share a key, in the order of their arrival. */
type Shelf<R> = Map<string, R>;

/** The operations that a catalog needs on its entries. */
export interface Cataloged<T> {
  readonly noun: string;
  keysOf(like: T): StoreKeys;
  named(name: string): T;
  isPlain(like: T): boolean;
  matches(like: T, entry: T): boolean;
  entryOf(listed: Pick<Listed, "bytes">): T;
  expiring(entry: T, atMs: number): T;
}

/**
 * Called once for a moment, returns when entries end, by name, on `Clock.wallMs`. The time is not a part of an entry, because it
 * changes all the while.
 */
export type Expirations = () => (name: string) => number | undefined;

/** A query, prepared for many entries. */
interface Asked<R> {
  readonly keys: StoreKeys;
  readonly matches: (entry: R) => boolean;
}

export class Catalog<T, R extends Listed = Listed> {
  readonly #kind: Cataloged<T>;
  readonly #byName: Shelf<R> = new Map();
  readonly #byService = new Map<string, Shelf<R>>();
  readonly #byUrl = new Map<string, Shelf<R>>();
  /** Watches by the name of their query, else by its first service, else in `all`. */
  readonly #watches = {
    byName: new Map<string, Set<CatalogWatch<R>>>(),
    byService: new Map<string, Set<CatalogWatch<R>>>(),
    all: new Set<CatalogWatch<R>>(),
  };
  #watchCount = 0;
  #touchCount = 0;
  /** Set by the part that knows when entries end. Default: no entry has an end. */
  expirations: Expirations = () => () => undefined;

  constructor(kind: Cataloged<T>) {
    this.#kind = kind;
  }

  get size(): number {
    return this.#byName.size;
  }

  /** Open watches. */
  get watches(): number {
    return this.#watchCount;
  }

  get(name: string): R | undefined {
    return this.#byName.get(name);
  }

  /** All entries in the order of their arrival. Iteration goes on while the catalog changes. */
  entries(): IterableIterator<R> {
    return this.#byName.values();
  }

  /** Adds an entry or replaces the one of the same name, and tells the watches. */
  put(entry: R): void {
    const before = this.#byName.get(entry.name);
    if (before) this.#takeOff(before, entry);
    this.#byName.set(entry.name, entry);
    for (const service of entry.services) putOn(this.#byService, service, entry);
    if (entry.url !== "") putOn(this.#byUrl, entry.url, entry);
    for (const watch of this.#concerned(entry, before)) watch.changed(entry, before);
  }

  /** Removes an entry, and tells the watches. `undefined` if there is none of that name. */
  remove(name: string): R | undefined {
    const entry = this.#byName.get(name);
    if (!entry) return undefined;
    this.#takeOff(entry, undefined);
    this.#byName.delete(name);
    for (const watch of this.#concerned(entry, undefined)) watch.changed(undefined, entry);
    return entry;
  }

  /** Whether any watch wants to know of entries of which only the time has changed. */
  get wantsTouches(): boolean {
    return this.#touchCount > 0;
  }

  /** The time of an entry has changed, and nothing else: tells the watches that want to know. */
  touch(name: string): void {
    const entry = this.#touchCount > 0 ? this.#byName.get(name) : undefined;
    if (!entry) return;
    for (const watch of this.#concerned(entry, undefined)) watch.touched(entry);
  }

  /** The entries that match now. Iteration goes on while the catalog changes. */
  find(like: T): IterableIterator<R> {
    return this.#find(this.#ask(like));
  }

  /** The entries that match now, and every later change. The caller has to close the watch. */
  watch(like: T, options: WatchOptions): CatalogWatch<R> {
    const asked = this.#ask(like);
    const { touches = false } = options;
    const watch = new CatalogWatch<R>(options, {
      noun: this.#kind.noun,
      find: () => this.#find(asked),
      matches: asked.matches,
      expirationOf: (name) => this.expirations()(name),
      onClose: () => {
        this.#leave(asked.keys, watch);
        this.#watchCount -= 1;
        if (touches) this.#touchCount -= 1;
      },
    });
    this.#watchesFor(asked.keys).add(watch);
    this.#watchCount += 1;
    if (touches) this.#touchCount += 1;
    return watch;
  }

  #ask(like: T): Asked<R> {
    const keys = this.#kind.keysOf(like);
    const isPlain = this.#kind.isPlain(like);
    const hasKeys = (entry: R): boolean =>
      (keys.name === "" || keys.name === entry.name) &&
      keys.services.every((service) => entry.services.includes(service)) &&
      entry.url.includes(keys.url);
    const matches = (entry: R): boolean =>
      hasKeys(entry) && (isPlain || this.#kind.matches(like, this.#timed(entry)));
    return { keys, matches };
  }

  #timed(entry: R): T {
    const atMs = this.expirations()(entry.name);
    const message = this.#kind.entryOf(entry);
    return atMs === undefined ? message : this.#kind.expiring(message, atMs);
  }

  *#find({ keys, matches }: Asked<R>): IterableIterator<R> {
    for (const shelf of this.#shelves(keys)) for (const entry of shelf) if (matches(entry)) yield entry;
  }

  /** Groups of entries, as few as possible, that contain all matches. */
  *#shelves({ name, services, url }: StoreKeys): IterableIterator<Iterable<R>> {
    const [service] = services;
    if (name !== "") {
      const entry = this.#byName.get(name);
      if (entry) yield [entry];
    } else if (service !== undefined) {
      yield this.#byService.get(service)?.values() ?? [];
    } else if (url !== "") {
      // There are as many URLs as managers, and the query may be a part of one.
      for (const [known, entries] of this.#byUrl) if (known.includes(url)) yield entries.values();
    } else {
      yield this.#byName.values();
    }
  }

  #takeOff(entry: R, next: R | undefined): void {
    for (const service of entry.services)
      if (!next?.services.includes(service)) takeOff(this.#byService, service, entry.name);
    if (entry.url !== next?.url) takeOff(this.#byUrl, entry.url, entry.name);
  }

  /** Watches whose keys fit `entry`, or its earlier form `before`. */
  #concerned(entry: R, before: R | undefined): Set<CatalogWatch<R>> {
    const { byName, byService, all } = this.#watches;
    const concerned = new Set<CatalogWatch<R>>(all);
    for (const watch of byName.get(entry.name) ?? []) concerned.add(watch);
    for (const service of [...entry.services, ...(before?.services ?? [])])
      for (const watch of byService.get(service) ?? []) concerned.add(watch);
    return concerned;
  }

  #watchesFor({ name, services: [service] }: StoreKeys): Set<CatalogWatch<R>> {
    const { byName, byService, all } = this.#watches;
    const [map, key] = name !== "" ? [byName, name] : [byService, service];
    if (key === undefined) return all;
    let group = map.get(key);
    if (!group) map.set(key, (group = new Set()));
    return group;
  }

  #leave(keys: StoreKeys, watch: CatalogWatch<R>): void {
    const group = this.#watchesFor(keys);
    group.delete(watch);
    if (group.size > 0) return;
    if (keys.name !== "") this.#watches.byName.delete(keys.name);
    else if (keys.services[0] !== undefined) this.#watches.byService.delete(keys.services[0]);
  }
}

function putOn<R extends Listed>(shelves: Map<string, Shelf<R>>, key: string, entry: R): void {
  let shelf = shelves.get(key);
  if (!shelf) shelves.set(key, (shelf = new Map()));
  shelf.set(entry.name, entry);
}

function takeOff<R>(shelves: Map<string, Shelf<R>>, key: string, name: string): void {
  const shelf = shelves.get(key);
  shelf?.delete(name);
  if (shelf?.size === 0) shelves.delete(key);
}
