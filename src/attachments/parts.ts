/** What an agent is made of, from the roles of its process. */
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
import type { Ref } from "./wish.ts";

export interface NewClient {
  /** The first of its connections' paths. */
  readonly name: string;
  /** What its workload is called on this host. */
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

/** What stands between two wires: `ServiceFunctionRoleOptions` of src/roles. */
export interface NewFunction {
  readonly name: string;
  /** What its workload is called on this host. */
  readonly workload: string;
  readonly netns: Netns;
  readonly addresses: AddressOptions;
  readonly context: () => ContextOptions;
  readonly labels: () => Readonly<Record<string, string>>;
  readonly passage: () => Passage;
  /** The last answers to what it asks for, by wire. */
  readonly answers: Answers;
}

/** The wires of this host, as far as an attachment has to do with them: `KeptWires` of src/agent. */
interface WiresInReach {
  /** Looks for wires of an earlier life in a namespace that no list names. */
  look(netns: Netns): Promise<void>;
  /**
   * Removes a wire of an earlier life that has the device `name` there, unless it is `connectionId`, which may be made.
   * ALREADY_EXISTS if another attachment, which `wantedBy` tells, will ask for that wire.
   */
  makeWay(
    netns: Netns,
    name: string,
    by: { readonly connectionId: string; readonly wantedBy: (id: string) => Ref | undefined },
  ): Promise<void>;
  /** What `check` throws of the wire `connectionId` is the answer to its request, until the result is called. */
  guard(connectionId: string, check: (wire: Wire) => void): () => void;
  remove(connectionId: string): Promise<void>;
}

/** Says which namespaces may be workloads: `HostGuard` of src/agent. */
export interface WorkloadGuard {
  /** Why the workload at `netns` may have no wires; `undefined` if it may. */
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
  /** Added to those of this host's clients and endpoints that do not have them. */
  readonly labels: Readonly<Record<string, string>>;
  /** The registry as this host sees it. */
  readonly services: ServiceRegistryHop;
  readonly endpoints: EndpointRegistryHop;
  newClient(options: NewClient): ConnectionRole;
  newEndpoint(options: NewEndpoint): ConnectionRole;
  newFunction(options: NewFunction): ConnectionRole;
  /** Lets roles of this process call the endpoint at `self:<name>`. The result takes that back. */
  offer(name: string, role: ConnectionRole): () => void;
  /** Closes what this host's manager knows of a wire, on both sides. */
  dropWire(wireId: string): Promise<void>;
}

/** Time for one request, or close, of an attachment. */
export const REQUEST_MS = 15_000;
