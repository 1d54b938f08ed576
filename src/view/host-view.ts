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

/** A host, with facts about its agent: none if the host has no agent, or the agent has never answered. */
export interface HostView extends Partial<AgentFacts> {
  readonly host: string;
  /** The reason why its agent does not answer. */
  readonly silence?: string;
}

export interface AgentFacts {
  readonly version: string;
  /** The URL under which other hosts reach the agent. */
  readonly url: string;
  readonly startedAt?: string;
  /** The credentials of the agent: `plaintext` if it has none. */
  readonly identity: string;
  readonly registry: RegistryView;
  /** The number of unclaimed wires. */
  readonly unclaimedWires: number;
  /** Tasks that the agent keeps retrying, the oldest first. */
  readonly retrying: readonly RetryingView[];
  /** Gauges by name. */
  readonly gauges: Readonly<Record<string, number>>;
  /** Drops by reason. */
  readonly drops: readonly DropView[];
  /** Senders of unknown tunnel packets, those with the most packets first. */
  readonly strangers: readonly StrangerView[];
  /** Packets that the guard refused, those with the most packets first. */
  readonly offences: readonly OffenceView[];
}

/** A task that a host's agent keeps retrying. */
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
