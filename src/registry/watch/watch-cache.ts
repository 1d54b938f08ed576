/**
 * A manager's copy of the registry: all of it in memory, fed by a stream, with the last answers on disk.
 *
 * Guarantees
 * - Finds and watches are answered from memory, even when the registry is down: then with its last answers.
 * - A broken stream is opened again, with a back-off that differs between hosts. Entries that have changed meanwhile are reported
 *   as changes; unchanged ones wake nobody.
 * - The registry decides when entries are gone; while it cannot tell, they stay. Expiration times come with the last change. The
 *   stream reports no refresh, so a time that has passed is extended by whole leases.
 * - After a restart the last answers are there before the registry is reached. They are saved to disk `SAVE_MS` after they came,
 *   later if there are many.
 */
import type { Log } from "../../observe/log.ts";
import { backoffMs } from "../../async/backoff.ts";
import type { Disk } from "../../world/disk.ts";
import type { NetworkService, NetworkServiceEndpoint } from "../../api/gen/nsm/registry_pb.js";
import { stationsOver } from "../../api/hops.ts";
import { NetloomError } from "../../errors/errors.ts";
import type { Scope } from "../../async/scope.ts";
import type { World } from "../../world/world.ts";
import type { Hop, SeveralHops } from "../../world/hops.ts";
import { Signal } from "../../async/signal.ts";
import { Catalog } from "../catalog.ts";
import { endpointKind, sameBytes, serviceKind } from "../entry-kind.ts";
import { readAnswers, writeAnswers } from "./last-answers.ts";
import { DEFAULT_LEASE_MS } from "../leases/lifetime.ts";
import type { RegistrationsKind } from "../registrations.ts";
import { type Shelves, watchSession } from "./watch-session.ts";

const SAVE = "keep what the registry has said on the disk";
const SAVE_MS = 2000;

/** 100,000 entries are written once in 100 s. */
const SAVE_MS_PER_ENTRY = 1;

/** The state of a manager's view of its registry. */
export interface RegistryView {
  /** `fresh`: as the registry has it now. `stale`: as it was when it was last reached. `unknown`: never reached. */
  readonly state: "unknown" | "fresh" | "stale";
  /** Time when the view became stale, on `Clock.monotonicMs`. */
  readonly staleSinceMs?: number;
  /** The reason why the registry cannot be reached or, if fresh, refuses this host's registrations, as a sentence. */
  readonly reason?: string;
  readonly services: number;
  readonly endpoints: number;
}

export interface WatchCacheOptions {
  readonly world: World;
  readonly disk: Disk;
  readonly registry: Hop | SeveralHops;
  /** Called when the view has become fresh, and when an endpoint is gone. */
  readonly onNews?: () => void;
  /** Called when `view().state`, or its reason, has changed. */
  readonly onState?: (() => void) | undefined;
}

/** A registration or unregistration in progress. */
export interface Asked<T> {
  /** The call was answered: `undefined` if the name is gone. */
  answered(entry: T | undefined): void;
  /** To be called in any case. */
  end(): void;
}

export class WatchCache {
  readonly services = new Catalog<NetworkService>(serviceKind);
  readonly endpoints = new Catalog<NetworkServiceEndpoint>(endpointKind);
  readonly #options: WatchCacheOptions;
  /** Rings when there is something to save. */
  readonly #dirty = new Signal();
  readonly #shelves = {
    services: new CacheShelf(serviceKind, this.services, () => this.#dirty.ring()),
    endpoints: new CacheShelf(endpointKind, this.endpoints, (isGone) => {
      this.#dirty.ring();
      if (isGone) this.#options.onNews?.();
    }),
  };
  /** Rings when a broken stream should be opened again at once. */
  readonly #retry = new Signal();
  #state: RegistryView["state"] = "unknown";
  #staleSinceMs: number | undefined;
  #reason: string | undefined;

  private constructor(options: WatchCacheOptions) {
    this.#options = options;
  }

  /** Reads the answers on disk, and begins to follow the registry, until `World.scope` ends. */
  static async open(options: WatchCacheOptions): Promise<WatchCache> {
    const cache = new WatchCache(options);
    const { world, disk } = options;
    cache.endpoints.expirations = () => {
      const nowMs = world.clock.wallMs();
      return (name) => putOff(cache.#shelves.endpoints.expirationOf(name), nowMs);
    };
    const answers = await readAnswers(disk, (problem) =>
      world.log.warn("what the registry has said last is damaged on the disk; it is asked anew", { problem }),
    );
    if (answers) {
      for (const service of answers.services) cache.#shelves.services.put(service);
      for (const endpoint of answers.endpoints) cache.#shelves.endpoints.put(endpoint);
      cache.#lose("it has not been reached yet");
    }
    world.scope.spawn("follow registry", (scope) => cache.#follow(scope));
    world.scope.spawn("save registry answers", (scope) => cache.#save(scope));
    return cache;
  }

  get isFresh(): boolean {
    return this.#state === "fresh";
  }

  /** Whether it has ever been fresh, here or before the last restart. */
  get isKnown(): boolean {
    return this.#state !== "unknown";
  }

  view(): RegistryView {
    return {
      state: this.#state,
      ...(this.#staleSinceMs !== undefined && { staleSinceMs: this.#staleSinceMs }),
      ...(this.#reason !== undefined && { reason: this.#reason }),
      services: this.services.size,
      endpoints: this.endpoints.size,
    };
  }

  /** The registry answered a call of this host: reopens a broken stream at once. */
  reached(): void {
    if (!this.isFresh) this.#retry.ring();
  }

  /**
   * To be called before this host registers or unregisters `name`. The result is known at once, unless the stream reports the
   * name meanwhile: the stream is in order, and an answer may be late.
   */
  askService(name: string): Asked<NetworkService> {
    return this.#shelves.services.ask(name);
  }

  askEndpoint(name: string): Asked<NetworkServiceEndpoint> {
    return this.#shelves.endpoints.ask(name);
  }

  async #follow(scope: Scope): Promise<void> {
    const { world, registry } = this.#options;
    const stations = stationsOver(registry, world.clock);
    for (let failures = 0, attempt = 0; !scope.ended; attempt++) {
      const session = scope.child("session");
      const synced = (): void => {
        failures = 0;
        this.#synced();
      };
      const sink = { ...this.#shelves, begin: () => this.#begin(), synced };
      try {
        await watchSession({ hop: registry, stations, sink, scope: session });
      } catch (error) {
        if (!(error instanceof NetloomError)) throw error;
        if (!scope.ended) this.#lose(error.message);
      } finally {
        await endSession(session, world.log);
      }
      const fraction = world.random.fraction("registry backoff", attempt);
      await this.#retry.wait(world.clock, scope, backoffMs(++failures, fraction));
    }
  }

  #begin(): void {
    this.#shelves.services.begin();
    this.#shelves.endpoints.begin();
  }

  #synced(): void {
    this.#shelves.services.dropUnseen();
    this.#shelves.endpoints.dropUnseen();
    this.#state = "fresh";
    this.#staleSinceMs = undefined;
    this.#reason = undefined;
    this.#options.onState?.();
    this.#options.onNews?.();
  }

  #lose(reason: string): void {
    if (this.#state === "fresh" || this.services.size + this.endpoints.size > 0) {
      this.#state = "stale";
      this.#staleSinceMs ??= this.#options.world.clock.monotonicMs();
    }
    this.#reason = reason;
    this.#options.onState?.();
  }

  async #save(scope: Scope): Promise<void> {
    const { world, disk } = this.#options;
    let saved = "";
    while (!scope.ended) {
      await this.#dirty.wait(world.clock, scope, Infinity);
      if (scope.ended) return;
      await world.clock.sleep(SAVE_MS + SAVE_MS_PER_ENTRY * this.endpoints.size, scope);
      const version = `${this.#shelves.services.changes} ${this.#shelves.endpoints.changes}`;
      if (version === saved) continue;
      const failure = await writeAnswers(disk, this.services.entries(), this.endpoints.entries());
      if (failure) {
        world.retries.failed(SAVE, failure);
        this.#dirty.ring();
      } else {
        world.retries.over(SAVE);
        saved = version;
      }
    }
  }
}

/** Extends a time that has passed by whole leases, into the future. */
function putOff(expiresAtMs: number | undefined, nowMs: number): number | undefined {
  if (expiresAtMs === undefined || expiresAtMs > nowMs) return expiresAtMs;
  return expiresAtMs + Math.ceil((nowMs + 1 - expiresAtMs) / DEFAULT_LEASE_MS) * DEFAULT_LEASE_MS;
}

/** Puts the entries that a session reports into a catalog, and knows those that it has not reported. */
class CacheShelf<T> implements Shelves<T> {
  readonly #kind: RegistrationsKind<T>;
  readonly #catalog: Catalog<T>;
  readonly #onChange: (isGone: boolean) => void;
  /** Names seen since the list began; `undefined` after its end. */
  #seen: Set<string> | undefined;
  /** Calls of this host in progress, by name. */
  readonly #asked = new Map<string, Set<{ isTold: boolean }>>();
  /** Last reported expiration times by name, on `Clock.wallMs`. */
  readonly #expirations = new Map<string, number>();
  /** Number of changes so far. */
  changes = 0;

  constructor(kind: RegistrationsKind<T>, catalog: Catalog<T>, onChange: (isGone: boolean) => void) {
    this.#kind = kind;
    this.#catalog = catalog;
    this.#onChange = onChange;
  }

  begin(): void {
    this.#seen = new Set();
  }

  ask(name: string): Asked<T> {
    const own = { isTold: false };
    const asked = this.#asked.get(name) ?? new Set();
    this.#asked.set(name, asked.add(own));
    return {
      answered: (entry) => {
        if (own.isTold) return;
        if (entry) this.#put(entry, true);
        else this.#remove(name);
      },
      end: () => {
        asked.delete(own);
        if (asked.size === 0) this.#asked.delete(name);
      },
    };
  }

  put(entry: T): void {
    this.#told(this.#kind.keysOf(entry).name);
    this.#put(entry, false);
  }

  expirationOf(name: string): number | undefined {
    return this.#expirations.get(name);
  }

  remove(name: string): void {
    this.#told(name);
    this.#remove(name);
  }

  #told(name: string): void {
    for (const own of this.#asked.get(name) ?? []) own.isTold = true;
  }

  /** `isOwn`: this host registered the entry, so watches are told even if it has not changed. */
  #put(entry: T, isOwn: boolean): void {
    const listed = this.#kind.list(entry);
    const { name } = listed;
    if (name === "") return;
    this.#seen?.add(name);
    const expiresAtMs = this.#kind.expirationOf(entry);
    if (expiresAtMs !== undefined) this.#expirations.set(name, expiresAtMs);
    const known = this.#catalog.get(name);
    if (known && sameBytes(known.bytes, listed.bytes)) {
      if (isOwn) this.#catalog.touch(name);
      return;
    }
    this.changes += 1;
    this.#catalog.put(listed);
    this.#onChange(false);
  }

  #remove(name: string): void {
    const removed = this.#catalog.remove(name);
    this.#expirations.delete(name);
    if (!removed) return;
    this.changes += 1;
    this.#onChange(true);
  }

  dropUnseen(): void {
    for (const { name } of this.#catalog.entries())
      if (this.#seen && !this.#seen.has(name)) this.#remove(name);
    this.#seen = undefined;
  }
}

/** An operating error of a task has ended the session, and was reported there. */
async function endSession(scope: Scope, log: Log): Promise<void> {
  try {
    await scope.end();
  } catch (error) {
    if (!(error instanceof NetloomError)) throw error;
    log.debug("a session with the registry has ended", { error: error.message });
  }
}
