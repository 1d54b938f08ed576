import type { EndpointRegistryServer, ServiceRegistryServer } from "../api/hops.ts";
import type { Served } from "../api/rpc.ts";
import type { RoleOptions } from "./role.ts";

export interface RegistryOptions extends RoleOptions {
  /** How long an endpoint is served after its last sign of life. Default: 60,000 ms. */
  readonly leaseMs?: number;
  /** Open watches, of all peers together. Default: 10,000. */
  readonly maxWatchers?: number;
}

export interface Registry {
  readonly services: ServiceRegistryServer;
  readonly endpoints: EndpointRegistryServer;
  /** Both registries of the contract, and what our own managers ask for. For `serveAll`. */
  readonly served: readonly Served[];
  /** How much there is, for people. */
  status(): { readonly services: number; readonly endpoints: number; readonly watchers: number };
}

/** Opens the registry that `World.store` holds. */
export declare function registry(options: RegistryOptions): Promise<Registry>;
