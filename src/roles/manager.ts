import type { NetworkServiceEndpoint } from "../api/gen/nsm/registry_pb.js";
import type { Directory, EndpointRegistryHop, ServiceRegistryHop } from "../api/hops.ts";
import type { ConnectionRole, RoleOptions } from "./role.ts";

export interface ManagerOptions extends RoleOptions {
  /** Under which other hosts reach this manager, and its forwarders are registered: `tcp://10.0.0.1:5001`. */
  readonly url: string;
  readonly directory: Directory;
  /** The registry as this manager sees it: its own registry chain, in process. */
  readonly services: ServiceRegistryHop;
  readonly endpoints: EndpointRegistryHop;
  /** Forwarders of this process, tried before registered ones; their URLs are `self:…`. */
  readonly ownForwarders?: readonly NetworkServiceEndpoint[];
  /** The network service that forwarders are registered for. Default: `forwarder`. */
  readonly forwarderService?: string;
  /** Prefixes that no endpoint may take addresses from, read at every request. */
  readonly excludedPrefixes?: () => readonly string[];
}

/** Takes requests of this host's clients and of other hosts' forwarders, and hands them to a forwarder of its host. */
export declare function manager(options: ManagerOptions): ConnectionRole;
