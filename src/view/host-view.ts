import { type HostStatus, RegistryStatus_State } from "../api/gen/netloom/admin/v1/admin_pb.js";
import {
  type DropView,
  dropViews,
  type OffenceView,
  offenceViews,
  type StrangerView,
  strangerViews,
} from "./drop-view.ts";
import { isoTime } from "./iso-time.ts";
import { optional } from "./optional.ts";

/** A host, and what its agent tells of itself: nothing if it has none, or one that has never answered. */
export interface HostView extends Partial<AgentFacts> {
  readonly host: string;
  /** Why its agent does not answer. */
  readonly silence?: string;
}

export interface AgentFacts {
  readonly version: string;
  /** Under which other hosts reach it. */
  readonly url: string;
  readonly startedAt?: string;
  /** What it proves itself with: `plaintext` if nothing is proven. */
  readonly identity: string;
  readonly registry: RegistryView;
  /** Wires that an earlier process has left, and that nobody has asked for since. */
  readonly unclaimedWires: number;
  /** The oldest first. */
  readonly retrying: readonly RetryingView[];
  /** By name. */
  readonly gauges: Readonly<Record<string, number>>;
  /** By reason. */
  readonly drops: readonly DropView[];
  /** Those who sent most come first. */
  readonly strangers: readonly StrangerView[];
  /** Likewise. */
  readonly offences: readonly OffenceView[];
}

/** Something that a host's process keeps trying. */
interface RetryingView {
  readonly what: string;
  readonly since?: string;
  readonly failures: number;
  readonly reason: string;
}

interface RegistryView {
  readonly url: string;
  readonly state: "unknown" | "fresh" | "stale";
  readonly reason?: string;
  readonly staleSince?: string;
  readonly services: number;
  readonly endpoints: number;
}

export function hasAgent(view: HostView): view is HostView & AgentFacts {
  return view.registry !== undefined;
}

export function agentFacts(status: HostStatus): AgentFacts {
  const { version, url, startedAt, identity, registry, unclaimedWires, retrying, gauges } = status;
  return {
    version,
    url,
    ...optional("startedAt", isoTime(startedAt)),
    identity,
    registry: {
      url: registry?.url ?? "",
      state: registryStates[registry?.state ?? RegistryStatus_State.UNKNOWN],
      ...optional("reason", registry?.reason),
      ...optional("staleSince", isoTime(registry?.staleSince)),
      services: registry?.services ?? 0,
      endpoints: registry?.endpoints ?? 0,
    },
    unclaimedWires,
    retrying: retrying.map(({ what, since, failures, reason }) => ({
      what,
      ...optional("since", isoTime(since)),
      failures,
      reason,
    })),
    gauges: Object.fromEntries(gauges.map(({ name, value }) => [name, value])),
    drops: dropViews(status),
    strangers: strangerViews(status),
    offences: offenceViews(status),
  };
}

const registryStates: Readonly<Record<RegistryStatus_State, RegistryView["state"]>> = {
  [RegistryStatus_State.UNKNOWN]: "unknown",
  [RegistryStatus_State.FRESH]: "fresh",
  [RegistryStatus_State.STALE]: "stale",
};
