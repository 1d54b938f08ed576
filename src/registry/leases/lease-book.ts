/**
 * By which lease of the store each endpoint lives, and when that ends as far as this registry knows. The store decides
 * when it does: another registry may have kept it alive.
 *
 * Guarantees
 * - An endpoint has one lease: one of its own, or the one of its host, which a single sign of life renews for all.
 * - Told times are those of the last sign of life that came here. One that has passed for longer than the store takes to
 *   end it was put off elsewhere: it is told a whole lease later.
 */
import type { Clock } from "../../async/clock.ts";
import type { Lease } from "../../world/store.ts";
import { type Principal, principalText } from "../../world/peer.ts";

/** How far a lease may end from where it should: the smaller of it makes no other lease. */
const SLACK_MS = 100;
const SLACK_SHARE = 0.01;

/** One that ends so much earlier than it may is left for a longer one. */
const SHORT_SHARE = 0.9;

/** How long the end of a lease may be on its way here. */
const ENDING_MS = 1000;

/** A lease of the store for an endpoint. */
export interface EndpointLease {
  /** Name of the lease that all endpoints of its host share; empty for one of its own. */
  readonly hostLease: string;
  readonly leaseMs: number;
}

interface Booked {
  readonly lease: EndpointLease;
  /** On `Clock.monotonicMs`. */
  endsAtMs: number;
  /** All that live by it; `undefined` for one of its own. */
  readonly names: Set<string> | undefined;
}

/** The lease of a host: a name that it gives, and that is its own. `undefined` if it gives none. */
export function hostLeaseName(owner: Principal, name: string): string | undefined {
  return name === "" ? undefined : `host ${principalText(owner)} ${name}`;
}

/** The store's lease that an endpoint lives by. */
export function leaseOfEndpoint(name: string, { hostLease, leaseMs }: EndpointLease): Lease {
  return { name: hostLease === "" ? `endpoint ${name} ${leaseMs}` : hostLease, ttlMs: leaseMs };
}

export class LeaseBook {
  /** How long a lease of a host lasts, and the longest of any other. */
  readonly leaseMs: number;
  readonly #clock: Clock;
  /** What most endpoints have that have a lease of their own. */
  readonly #usual: EndpointLease;
  readonly #byName = new Map<string, Booked>();
  readonly #byHost = new Map<string, Booked>();

  constructor({ clock, leaseMs }: { readonly clock: Clock; readonly leaseMs: number }) {
    this.#clock = clock;
    this.leaseMs = leaseMs;
    this.#usual = { hostLease: "", leaseMs };
  }

  /** The lease for an endpoint that may live for `mostMs`, and comes with its host's lease if it has one. */
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

  /** `name` lives by this lease, of which this is a sign of life. */
  hold(name: string, lease: EndpointLease): void {
    const known = this.#byName.get(name);
    const isSame = known?.lease.hostLease === lease.hostLease && known.lease.leaseMs === lease.leaseMs;
    if (known && !isSame) this.drop(name);
    const booked = (isSame ? known : undefined) ?? this.#booked(lease);
    booked.names?.add(name);
    booked.endsAtMs = this.#clock.monotonicMs() + booked.lease.leaseMs;
    if (!isSame) this.#byName.set(name, booked);
  }

  /** A sign of life of a host. The names of its endpoints. */
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

  /** When endpoints end as things are, on `Clock.wallMs`, rounded down. For many questions at one moment. */
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
