/**
 * Keeps a host's registrations registered for as long as the host holds them.
 *
 * Guarantees
 * - All endpoints are under one lease of this process: one call in every third of the lease keeps them alive, and a process that
 *   has ended keeps nothing alive. With another implementation's registry each endpoint is registered again before it expires.
 * - An endpoint that the registry has lost is registered again, a few at a time, as soon as that is seen: at a sign of life, or
 *   when the watch has caught up.
 * - The registry knows this host by its name and URL as long as this process runs, even if nothing is registered. If the registry
 *   refuses the name because of a second host, that is reported, and retried until the name is free.
 * - An endpoint that could not be unregistered is unregistered later. If the registry has more under the lease than this host
 *   holds, the lease is left to expire and a new one is begun.
 */
import { clone, create } from "@bufbuild/protobuf";
import { LeaseSchema, type LeaseState, Registry } from "../api/gen/netloom/registry_pb.js";
import {
  type NetworkService,
  type NetworkServiceEndpoint,
  NetworkServiceEndpointSchema,
} from "../api/gen/nsm/registry_pb.js";
import { type CallOptions, type Stations, stationsOver } from "../api/hops.ts";
import { call } from "../api/rpc.ts";
import type { Call, Trigger } from "../chain/call.ts";
import type { Element } from "../chain/element.ts";
import { NetloomError } from "../errors/errors.ts";
import type { Scope } from "../async/scope.ts";
import type { World } from "../world/world.ts";
import type { Hop, SeveralHops } from "../world/hops.ts";
import { Signal } from "../async/signal.ts";
import { endpointKind, expirationMs, sameBytes, serviceKind } from "./entry-kind.ts";
import { type HostOfCall, withHost } from "./names/host-names.ts";
import { withLease } from "./leases/lease-metadata.ts";
import { DEFAULT_LEASE_MS } from "./leases/lifetime.ts";
import type { WatchCache } from "./watch/watch-cache.ts";

/** Registrations in flight at once when all have to be made again. */
const AT_ONCE = 16;
const CALL_TIMEOUT_MS = 5000;
const RETRY_MS = 1000;
const KEEP = "keep what this host offers registered";

interface Held {
  /** The endpoint as it was sent, in canonical form. */
  readonly bytes: Uint8Array;
  readonly answer: NetworkServiceEndpoint;
  readonly trigger: Trigger;
  /** When another implementation's registry needs the next registration, on `Clock.monotonicMs`. */
  readonly dueMs: number;
  isLost: boolean;
}

export interface KeeperOptions {
  readonly vouch?: CallOptions["vouch"];
  readonly world: World;
  readonly registry: Hop | SeveralHops;
  /** Name of this process: `manager-alpha`. */
  readonly name: string;
  readonly host: HostOfCall;
  /** Called when `refusal` has changed. */
  readonly onRefusal?: (() => void) | undefined;
}

export class Keeper {
  readonly #options: KeeperOptions;
  readonly #stations: Stations;
  readonly #held = new Map<string, Held>();
  readonly #services = new Map<string, NetworkService>();
  /** Endpoints that are unregistered here, and perhaps not yet in the registry. */
  readonly #owed = new Map<string, NetworkServiceEndpoint>();
  readonly #signal = new Signal();
  #cache: WatchCache | undefined;
  #lease: string;
  #leaseMs = DEFAULT_LEASE_MS;
  /** Whether the registry supports shared leases. `undefined` until it has been asked. */
  #knowsLeases: boolean | undefined;
  /** The lease lasts at least until then, on `Clock.monotonicMs`. */
  #aliveUntilMs = -Infinity;
  /** Time of the next round, on `Clock.monotonicMs`. */
  #nextRoundMs = Infinity;
  #surplus = 0;
  #refusal: NetloomError | undefined;

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#stations = stationsOver(options.registry, options.world.clock);
    this.#lease = this.#newLease();
  }

  /** Starts the keeper. `cache` shows the entries that the registry has lost. Ends with `World.scope`. */
  start(cache: WatchCache): void {
    this.#cache = cache;
    this.#options.world.scope.spawn("keep registered", (scope) => this.#run(scope));
  }

  /** The reason why the registry refuses this host: another host has its name. */
  get refusal(): NetloomError | undefined {
    return this.#refusal;
  }

  /** Checks now whether something is missing. */
  look(): void {
    this.#signal.ring();
  }

  /** The trigger for calls of an endpoint that is kept. */
  triggerOf(name: string): Trigger | undefined {
    return this.#held.get(name)?.trigger;
  }

  /** Registers services of this process's roles again when the registry has lost them. */
  serviceElement(): Element<NetworkService, NetworkService> {
    return {
      name: "keep-registered",
      request: async (asked, service, next) => {
        const own = this.#cache?.askService(service.name);
        try {
          const registered = await next(service);
          if (asked.peer.origin.kind === "self")
            this.#services.set(service.name, serviceKind.clone(registered));
          own?.answered(registered);
          this.#cache?.reached();
          return registered;
        } finally {
          own?.end();
        }
      },
      close: async (_asked, service, next) => {
        this.#services.delete(service.name);
        const own = this.#cache?.askService(service.name);
        try {
          await next(service);
          own?.answered(undefined);
        } finally {
          own?.end();
        }
      },
    };
  }

  /** Answers a refresh of an endpoint that is kept, without passing it on. */
  element(): Element<NetworkServiceEndpoint, NetworkServiceEndpoint> {
    return {
      name: "keep-registered",
      request: async (asked, endpoint, next) => {
        delete endpoint.expirationTime;
        const { bytes } = endpointKind.list(endpoint);
        const known = this.#held.get(endpoint.name);
        const own = this.#cache?.askEndpoint(endpoint.name);
        try {
          if (known && sameBytes(known.bytes, bytes) && this.#isKept(endpoint.name, known)) {
            const answer = clone(NetworkServiceEndpointSchema, known.answer);
            // That time is from the original registration.
            delete answer.expirationTime;
            own?.answered(answer);
            return answer;
          }
          this.#owed.delete(endpoint.name);
          const answer = await next(endpoint, this.#leased(asked));
          this.#hold(asked, bytes, answer);
          own?.answered(answer);
          this.#cache?.reached();
          return answer;
        } finally {
          own?.end();
        }
      },
      close: async (asked, endpoint, next) => {
        this.#held.delete(endpoint.name);
        const own = this.#cache?.askEndpoint(endpoint.name);
        try {
          await next(endpoint, this.#leased(asked));
          own?.answered(undefined);
        } catch (error) {
          if (isWorthRetrying(error)) this.#owed.set(endpoint.name, endpoint);
          this.#signal.ring();
          throw error;
        } finally {
          own?.end();
        }
      },
    };
  }

  #leased(asked: Call): Call {
    const outgoing = withHost(withLease(asked.outgoing, this.#lease), this.#options.host);
    return { ...asked, outgoing };
  }

  #hold({ trigger, deadlineMs }: Call, bytes: Uint8Array, answer: NetworkServiceEndpoint): void {
    const { clock } = this.#options.world;
    const leftMs = Math.min((expirationMs(answer) ?? Infinity) - clock.wallMs(), DEFAULT_LEASE_MS);
    // Upstream's registries drop an endpoint before its time: earlier by the time that the request was allowed to take.
    const requestMs = Math.max(0, deadlineMs - clock.monotonicMs());
    const dueMs = clock.monotonicMs() + Math.max(RETRY_MS, (leftMs - requestMs) / 2);
    const kept = clone(NetworkServiceEndpointSchema, answer);
    this.#held.set(answer.name, { bytes, answer: kept, trigger, dueMs, isLost: false });
    const isEarlier = this.#knowsLeases === false && dueMs < this.#nextRoundMs;
    if (this.#held.size === 1 || isEarlier) this.#signal.ring();
  }

  #isKept(name: string, { isLost }: Held): boolean {
    const isAlive =
      this.#knowsLeases === true && this.#options.world.clock.monotonicMs() < this.#aliveUntilMs;
    return !isLost && isAlive && this.#cache?.endpoints.get(name) !== undefined;
  }

  async #run(scope: Scope): Promise<void> {
    const { world } = this.#options;
    for (let round = 0; !scope.ended; round++) {
      const isWell = await this.#tend(scope);
      const jitter = 0.8 + 0.2 * world.random.fraction("keep registered", round);
      const waitMs = (isWell ? this.#untilNextMs() : RETRY_MS) * jitter;
      this.#nextRoundMs = world.clock.monotonicMs() + waitMs;
      await this.#signal.wait(world.clock, scope, waitMs);
    }
  }

  /** Time to the next sign of life. With another implementation's registry each endpoint has its own. */
  #untilNextMs(): number {
    const nowMs = this.#options.world.clock.monotonicMs();
    const dues =
      this.#knowsLeases === false ? [...this.#held.values()].map(({ dueMs }) => dueMs - nowMs) : [];
    return Math.max(0, Math.min(this.#leaseMs / 3, ...dues));
  }

  /** One round of work. False if something is left to do. */
  async #tend(scope: Scope): Promise<boolean> {
    const { retries } = this.#options.world;
    try {
      await this.#keepAlive(scope);
      await this.#unregisterOwed(scope);
      this.#findLost();
      await this.#registerServices(scope);
      const failure = await this.#registerLost(scope);
      if (failure) retries.failed(KEEP, failure);
      else retries.over(KEEP);
      return failure === undefined;
    } catch (error) {
      if (!(error instanceof NetloomError)) throw error;
      retries.failed(KEEP, error);
      return false;
    }
  }

  async #keepAlive(scope: Scope): Promise<void> {
    const sentMs = this.#options.world.clock.monotonicMs();
    const held = this.#held.size;
    try {
      const state = await this.#askLease(scope);
      this.#told(undefined);
      this.#knowsLeases = true;
      this.#leaseMs = Number(state.ttlMs);
      this.#aliveUntilMs = sentMs + this.#leaseMs;
      if (state.endpoints < held) this.#loseAll();
      // A single surplus may be a registration in flight.
      this.#surplus = state.endpoints > this.#held.size + this.#owed.size ? this.#surplus + 1 : 0;
      if (this.#surplus > 1) this.#beginLease();
    } catch (error) {
      if (!(error instanceof NetloomError)) throw error;
      if (error.code === "PERMISSION_DENIED") this.#told(error);
      else if (["UNIMPLEMENTED", "NOT_FOUND"].includes(error.code)) this.#told(undefined);
      if (error.code === "UNIMPLEMENTED") this.#knowsLeases = false;
      else if (error.code === "NOT_FOUND") this.#loseAll();
      else throw error;
    }
  }

  #told(refusal: NetloomError | undefined): void {
    const { world, host, onRefusal } = this.#options;
    if (this.#refusal?.message === refusal?.message) return;
    this.#refusal = refusal;
    if (refusal)
      world.log.warn("the registry refuses this host", { problem: refusal.message, hint: refusal.hint });
    else world.log.info("the registry takes this host: its name is free", { name: host.name, url: host.url });
    onRefusal?.();
  }

  #askLease(scope: Scope): Promise<LeaseState> {
    const lease = create(LeaseSchema, { name: this.#lease });
    const options = { timeoutMs: CALL_TIMEOUT_MS, scope, metadata: withHost({}, this.#options.host) };
    return call(this.#options.registry, Registry.method.keepAlive, lease, options);
  }

  #beginLease(): void {
    this.#lease = this.#newLease();
    this.#surplus = 0;
    this.#loseAll();
  }

  #newLease(): string {
    return `${this.#options.name}/${this.#options.world.keys.uuid()}`;
  }

  #loseAll(): void {
    for (const held of this.#held.values()) held.isLost = true;
  }

  #findLost(): void {
    const nowMs = this.#options.world.clock.monotonicMs();
    const { isFresh = false, endpoints } = this.#cache ?? {};
    for (const [name, held] of this.#held) {
      const isDue = this.#knowsLeases === false && held.dueMs <= nowMs + this.#leaseMs / 30;
      if (isDue || (isFresh && !endpoints?.get(name))) held.isLost = true;
    }
  }

  async #unregisterOwed(scope: Scope): Promise<void> {
    for (const [name, endpoint] of this.#owed) {
      await this.#stations.endpoints.close(this.#waiting(scope), endpoint);
      if (this.#owed.get(name) === endpoint) this.#owed.delete(name);
    }
  }

  async #registerServices(scope: Scope): Promise<void> {
    if (!this.#cache?.isFresh) return;
    for (const [name, service] of this.#services) {
      if (!this.#cache.services.get(name))
        await this.#stations.services.request(this.#waiting(scope), service);
    }
  }

  /** Registers lost endpoints again. Returns the last failure, if any. */
  async #registerLost(scope: Scope): Promise<NetloomError | undefined> {
    const lost = [...this.#held.values()].filter(({ isLost }) => isLost);
    let failure: NetloomError | undefined;
    const work = async (): Promise<void> => {
      for (let held = lost.pop(); held && !scope.ended; held = lost.pop()) {
        try {
          await held.trigger.request({ why: "register again" });
        } catch (error) {
          if (!(error instanceof NetloomError)) throw error;
          failure = error;
        }
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    return failure;
  }

  #waiting(scope: Scope): CallOptions {
    const { vouch, world } = this.#options;
    return { scope, vouch, deadlineMs: world.clock.monotonicMs() + CALL_TIMEOUT_MS };
  }
}

/** The registry may still have the endpoint. */
function isWorthRetrying(error: unknown): boolean {
  return (
    error instanceof NetloomError &&
    ["UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED", "RESOURCE_EXHAUSTED", "INTERNAL", "ABORTED"].includes(
      error.code,
    )
  );
}
