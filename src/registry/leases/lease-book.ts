/**
 * The store lease of each endpoint, and its end as far as this registry knows. The store decides the real end: another registry
 * may have kept the lease alive.
 *
 * Guarantees
 * - An endpoint has one lease: its own, or that of its host, which a single sign of life renews for all endpoints.
 * - Reported times follow the last sign of life at this registry. If such a time has passed for longer than the store takes to
 *   end a lease, another registry renewed it: it is reported a whole lease later.
 */
import type { Clock } from "../../async/clock.ts";
import type { Lease } from "../../world/store.ts";
import { type Principal, principalText } from "../../world/peer.ts";

/** A lease may end this far from the wanted time: a smaller difference makes no new lease. */
const SLACK_MS = 100;
const SLACK_SHARE = 0.01;

/** A lease that ends earlier than this share of the allowed time is replaced by a longer one. */
const SHORT_SHARE = 0.9;

/** The news of a lease's end may take this long to arrive. */
const ENDING_MS = 1000;

/** A lease of the store for an endpoint. */
export interface EndpointLease {
  /** Name of the lease that all endpoints of a host share; empty for a lease of its own. */
  readonly hostLease: string;
  readonly leaseMs: number;
}

interface Booked {
  readonly lease: EndpointLease;
  /** On `Clock.monotonicMs`. */
  endsAtMs: number;
  /** All endpoints of the lease; `undefined` for a lease of one endpoint. */
  readonly names: Set<string> | undefined;
}

/** The store name of a host's lease: its owner with the name that the host gives. `undefined` if it gives none. */
export function hostLeaseName(owner: Principal, name: string): string | undefined {
  return name === "" ? undefined : `host ${principalText(owner)} ${name}`;
}

/** The store's lease for an endpoint. */
export function leaseOfEndpoint(name: string, { hostLease, leaseMs }: EndpointLease): Lease {
  return { name: hostLease === "" ? `endpoint ${name} ${leaseMs}` : hostLease, ttlMs: leaseMs };
}

export class LeaseBook {
  /** Duration of a host's lease, and the most for any other, in milliseconds. */
  readonly leaseMs: number;
  readonly #clock: Clock;
  /** The lease of most endpoints with a lease of their own. */
  readonly #usual: EndpointLease;
  readonly #byName = new Map<string, Booked>();
  readonly #byHost = new Map<string, Booked>();

  constructor({ clock, leaseMs }: { readonly clock: Clock; readonly leaseMs: number }) {
    this.#clock = clock;
    this.leaseMs = leaseMs;
    this.#usual = { hostLease: "", leaseMs };
  }

  /**
   * The lease for an endpoint that may live for `mostMs`: that of its host if there is one and it is short enough, else one of
   * its own.
   */
  leaseFor(name: string, mostMs: number, hostLease: string | undefined): EndpointLease {
    const most = withSlack(mostMs);
    if (hostLease !== undefined) {
      const lease = this.#byHost.get(hostLease)?.lease ?? { hostLease, leaseMs: this.leaseMs };
      if (lease.leaseMs <= most) return lease;
    }
    if (this.leaseMs <= most) return this.#usual;
    const known = this.#byName.get(name)?.lease;
    const isKept = known?.hostLease === "" && known.leaseMs <= most && known.leaseMs >= mostMs * SHORT_SHARE;
    return isKept ? known : { hostLease: "", leaseMs: Math.round(mostMs) };
  }

  /** A sign of life of `name`, which has this lease from now on. */
  hold(name: string, lease: EndpointLease): void {
    const known = this.#byName.get(name);
    const isSame = known?.lease.hostLease === lease.hostLease && known.lease.leaseMs === lease.leaseMs;
    if (known && !isSame) this.drop(name);
    const booked = (isSame ? known : undefined) ?? this.#booked(lease);
    booked.names?.add(name);
    booked.endsAtMs = this.#clock.monotonicMs() + booked.lease.leaseMs;
    if (!isSame) this.#byName.set(name, booked);
  }

  /** A sign of life of a host. Returns the names of its endpoints. */
  renewHost(hostLease: string): ReadonlySet<string> {
    const booked = this.#byHost.get(hostLease);
    if (!booked?.names) return new Set();
    booked.endsAtMs = this.#clock.monotonicMs() + booked.lease.leaseMs;
    return booked.names;
  }

  drop(name: string): void {
    const booked = this.#byName.get(name);
    this.#byName.delete(name);
    if (booked?.names?.delete(name) && booked.names.size === 0) this.#byHost.delete(booked.lease.hostLease);
  }

  /** The present ends of endpoints, on `Clock.wallMs`, rounded down. The returned function is for many queries at one moment. */
  expirations(): (name: string) => number | undefined {
    const nowMs = this.#clock.monotonicMs();
    const offsetMs = this.#clock.wallMs() - nowMs;
    return (name) => {
      const booked = this.#byName.get(name);
      if (!booked) return undefined;
      const { endsAtMs, lease } = booked;
      const lateMs = nowMs - endsAtMs;
      const putOffMs = lateMs < ENDING_MS ? 0 : lease.leaseMs * Math.ceil((lateMs + 1) / lease.leaseMs);
      return Math.floor(endsAtMs + offsetMs + putOffMs);
    };
  }

  #booked(lease: EndpointLease): Booked {
    if (lease.hostLease === "") return { lease, endsAtMs: 0, names: undefined };
    let booked = this.#byHost.get(lease.hostLease);
    if (!booked) this.#byHost.set(lease.hostLease, (booked = { lease, endsAtMs: 0, names: new Set() }));
    return booked;
  }
}

function withSlack(ms: number): number {
  return ms + Math.max(SLACK_MS, ms * SLACK_SHARE);
}
