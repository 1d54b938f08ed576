import type { Directory, EndpointRegistryHop, ServiceRegistryHop } from "../api/hops.ts";
import type { TunnelOptions } from "../elements/vxlan.ts";
import type { Wires } from "../elements/wire.ts";
import type { ConnectionRole, RoleOptions } from "./role.ts";

export interface ForwarderOptions extends RoleOptions {
  readonly directory: Directory;
  /** The registry chain of its manager. */
  readonly services: ServiceRegistryHop;
  readonly endpoints: EndpointRegistryHop;
  /** `Reconciler` of src/forwarder. */
  readonly wires: Wires;
  /** Absent: only wires inside of this host. */
  readonly tunnels?: TunnelOptions;
}

/** Picks the endpoint, asks it, and makes the wire. */
export declare function forwarder(options: ForwarderOptions): ConnectionRole;
