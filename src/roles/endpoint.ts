import type { AddressOptions } from "../elements/ipam.ts";
import type { ContextOptions } from "../elements/endpoint-context.ts";
import type { Connection } from "../api/gen/nsm/connection_pb.js";
import type { Netns } from "../world/kernel.ts";
import type { ConnectionRole, RoleOptions } from "./role.ts";

export interface EndpointOptions extends RoleOptions {
  /** The workload that gets the far end of every wire. */
  readonly netns: Netns;
  /** Name of the workload's device. Default: one made from the service's name, another for each wire. */
  readonly interfaceName?: (connection: Connection) => string;
  /** Absent: the endpoint gives no addresses. */
  readonly addresses?: AddressOptions;
  /** Routes, DNS, policies and more that every client gets; read at every request. */
  readonly context?: () => ContextOptions;
}

/** Answers for a workload that offers a network service. */
export declare function endpoint(options: EndpointOptions): ConnectionRole;
