/** Finds stations by URL: roles of this process under their own URLs, all others by dialling. */
import { watchOf } from "../async/watch.ts";
import { NetloomError } from "../errors/errors.ts";
import type { Clock } from "../async/clock.ts";
import type { Hops } from "../world/hops.ts";
import {
  type ConnectionHop,
  type Directory,
  type EndpointRegistryHop,
  type ServiceRegistryHop,
  type Stations,
  stationsOver,
} from "./hops.ts";

/**
 * Limit on remembered peers. Beyond it, the one that was used longest ago is forgotten; its hop closes when it is idle.
 */
const MAX_DIALLED = 256;

/**
 * A directory over the hops of a World. `self:` URLs name roles of this process and are never dialled, so a stranger's
 * registration cannot lead to a role that this process does not offer.
 */
export class LocalDirectory implements Directory {
  readonly #hops: Pick<Hops, "dial">;
  readonly #clock: Clock;
  readonly #own = new Map<string, Stations>();
  readonly #dialled = new Map<string, Stations>();

  constructor(hops: Pick<Hops, "dial">, clock: Clock) {
    this.#hops = hops;
    this.#clock = clock;
  }

  /** Offers a role of this process at `url`, usually `self:<name>`. The returned function withdraws it. */
  offer(url: string, stations: Partial<Stations>): () => void {
    const offered = { ...nothingAt(url), ...stations };
    this.#own.set(url, offered);
    return () => {
      if (this.#own.get(url) === offered) this.#own.delete(url);
    };
  }

  connect(url: string): Stations {
    const own = this.#own.get(url);
    if (own) return own;
    if (isOwnUrl(url)) return nothingAt(url);
    const known = this.#dialled.get(url) ?? this.#dial(url);
    this.#dialled.delete(url);
    this.#dialled.set(url, known);
    const [oldest] = this.#dialled.keys();
    if (this.#dialled.size > MAX_DIALLED && oldest !== undefined) this.#dialled.delete(oldest);
    return known;
  }

  #dial(url: string): Stations {
    try {
      return stationsOver(this.#hops.dial(url), this.#clock);
    } catch (error) {
      if (!(error instanceof NetloomError)) throw error;
      return nothingAt(url, error);
    }
  }
}

function isOwnUrl(url: string): boolean {
  return url.startsWith("self:");
}

/**
 * Returns whether the station at this URL is on this host, so that LOCAL mechanisms reach it. Upstream:
 * filtermechanisms.
 */
export function isLocalUrl(url: string): boolean {
  return isOwnUrl(url) || url.startsWith("unix:") || url.startsWith("inode:");
}

function nothingAt(
  url: string,
  error: NetloomError = new NetloomError("UNAVAILABLE", `call ${url}: nobody serves that there`),
): Stations {
  const refuse = (): Promise<never> => Promise.reject(error);
  const watch = () => watchOf({ take: refuse, close: () => undefined });
  const connections: ConnectionHop = { request: refuse, close: refuse, monitor: watch };
  const registry: ServiceRegistryHop & EndpointRegistryHop = { request: refuse, close: refuse, find: watch };
  return { connections, services: registry, endpoints: registry };
}
