/** The parts of an agent that its attachments use. */
import type { Trust } from "../mechanisms/half.ts";
import type { Connection } from "../api/gen/nsm/connection_pb.js";
import type { EndpointRegistryHop, ServiceRegistryHop } from "../api/hops.ts";
import type { AddressOptions } from "../elements/context/ipam.ts";
import type { ContextOptions } from "../elements/context/endpoint-context.ts";
import type { Answers, Passage } from "../elements/wires/onward.ts";
import type { Wire } from "../forwarder/wire.ts";
import type { Claims } from "../forwarder/claims/claims.ts";
import type { NetloomError } from "../errors/errors.ts";
import type { Kernel, Netns } from "../kernel/kernel.ts";
import type { WorkloadPlace } from "../mechanisms/mechanism-type.ts";
import type { Processes } from "../kernel/processes.ts";
import type { Disk } from "../world/disk.ts";
import type { ClientNews } from "../roles/client.ts";
import type { ConnectionRole } from "../roles/role.ts";
import type { World } from "../world/world.ts";
import type { Reachability } from "./reachability.ts";
import type { Ref } from "./spec.ts";

export interface NewClient {
  /** Name of the first segment in the paths of its connections. */
  readonly name: string;
  /** The workload's name on this host. */
  readonly workload: string;
  readonly onNews: (news: ClientNews) => void;
}

export interface NewEndpoint {
  readonly name: string;
  readonly place: WorkloadPlace;
  readonly interfaceName: (connection: Connection) => string;
  readonly trust: Trust;
  readonly addresses: AddressOptions | undefined;
  readonly clientRoutes: () => readonly string[];
  readonly context: () => ContextOptions;
}

/** Options of a role between two wires: `ServiceFunctionRoleOptions` of src/roles. */
export interface NewFunction {
  readonly name: string;
  /** The workload's name on this host. */
  readonly workload: string;
  readonly netns: Netns;
  readonly addresses: AddressOptions;
  readonly context: () => ContextOptions;
  readonly labels: () => Readonly<Record<string, string>>;
  readonly passage: () => Passage;
  /** The last answers to the function's own requests, by wire. */
  readonly answers: Answers;
}

/** The wires of this host, as an attachment uses them: `KeptWires` of src/agent. */
interface WiresInReach {
  /** Looks for wires of an earlier agent in a namespace that is not in the agent's own list. */
  look(netns: Netns): Promise<void>;
  /**
   * Removes an unclaimed wire that has the device `name` in `netns`, unless it is the wire `connectionId` itself.
   * ALREADY_EXISTS if `wantedBy` names another attachment that will request that wire.
   */
  makeWay(
    netns: Netns,
    name: string,
    by: { readonly connectionId: string; readonly wantedBy: (id: string) => Ref | undefined },
  ): Promise<void>;
  /** Checks the wire `connectionId` before it is applied: an error of `check` refuses it. The returned function ends that. */
  guard(connectionId: string, check: (wire: Wire) => void): () => void;
  /**
   * Calls `reader` after every change of the reachability of a wire, with `undefined` when this host has no such wire. The
   * returned function ends that.
   */
  onReachability(connectionId: string, reader: (reachability: Reachability | undefined) => void): () => void;
  remove(connectionId: string): Promise<void>;
}

/** Decides which namespaces may be workloads: `HostGuard` of src/agent. */
export interface WorkloadGuard {
  /** The reason why the workload at `netns` may have no wires; `undefined` if it may. */
  refusal(netns: Netns): Promise<NetloomError | undefined>;
}

export interface AgentParts {
  readonly world: World;
  readonly kernel: Kernel;
  readonly disk: Disk;
  readonly processes: Processes;
  readonly wires: WiresInReach;
  /** The addresses of this host's workloads. */
  readonly claims: Claims;
  readonly hostGuard: WorkloadGuard;
  /** Labels that are added to this host's clients and endpoints, unless they have them. */
  readonly labels: Readonly<Record<string, string>>;
  /** The registry as this host sees it. */
  readonly services: ServiceRegistryHop;
  readonly endpoints: EndpointRegistryHop;
  newClient(options: NewClient): ConnectionRole;
  newEndpoint(options: NewEndpoint): ConnectionRole;
  newFunction(options: NewFunction): ConnectionRole;
  /** Lets roles of this process call the endpoint at `self:<name>`. The returned function ends that. */
  offer(name: string, role: ConnectionRole): () => void;
  /** Closes the connections of a wire that this host's manager knows, on both sides. */
  dropWire(wireId: string): Promise<void>;
}

/** Timeout of one request or close of an attachment. */
export const REQUEST_MS = 15_000;
