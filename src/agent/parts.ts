/** What an agent is made of, from the roles of its process. */
import type { Connection } from "../api/gen/nsm/connection_pb.js";
import type { ConnectionServer, EndpointRegistryHop, ServiceRegistryHop } from "../api/hops.ts";
import type { AddressOptions } from "../elements/context/ipam.ts";
import type { ContextOptions } from "../elements/context/endpoint-context.ts";
import type { Claims } from "../forwarder/claims/claims.ts";
import type { NetloomError } from "../errors/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { WorkloadPlace } from "../mechanisms/mechanism-type.ts";
import type { Processes } from "../kernel/processes.ts";
import type { Disk } from "../world/disk.ts";
import type { World } from "../world/world.ts";
import type { HostGuard } from "./host-guard.ts";
import type { KeptWires } from "./kept-wires.ts";

/** A role of a connection, as far as an agent has to do with it: `ConnectionRole` of src/roles. */
export interface Role extends ConnectionServer {
  established(): Connection[];
  whyDown(id: string): string | undefined;
  drop(id: string): Promise<void>;
  /** Asks the clients of all connections to refresh them: what this role answers has changed. */
  requestRefresh(): void;
}

/** `ClientNews` of src/roles/client.ts. */
export interface News {
  readonly id: string;
  readonly state: "up" | "healing" | "closed";
  readonly reason?: string;
  readonly error?: NetloomError;
  readonly connection: Connection;
}

export interface NewClient {
  /** The first of its connections' paths. */
  readonly name: string;
  /** What its workload is called on this host. */
  readonly workload: string;
  readonly onNews: (news: News) => void;
}

export interface NewEndpoint {
  readonly name: string;
  readonly place: WorkloadPlace;
  readonly interfaceName: (connection: Connection) => string;
  readonly routerAdvertisements: boolean;
  readonly addresses: AddressOptions | undefined;
  readonly clientRoutes: () => readonly string[];
  readonly context: () => ContextOptions;
}

export interface AgentParts {
  readonly world: World;
  readonly kernel: Kernel;
  readonly disk: Disk;
  readonly processes: Processes;
  readonly wires: KeptWires;
  /** The addresses of this host's workloads. */
  readonly claims: Claims;
  readonly hostGuard: HostGuard;
  /** The registry as this host sees it. */
  readonly services: ServiceRegistryHop;
  readonly endpoints: EndpointRegistryHop;
  newClient(options: NewClient): Role;
  newEndpoint(options: NewEndpoint): Role;
  /** Lets roles of this process call the endpoint at `self:<name>`. The result takes that back. */
  offer(name: string, role: Role): () => void;
  /** Closes what this host's manager knows of a wire, on both sides. */
  dropWire(wireId: string): Promise<void>;
}

/** Time for one request, or close, of an attachment. */
export const REQUEST_MS = 15_000;
