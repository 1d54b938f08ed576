import type { EndpointRegistryServer, ServiceRegistryServer } from "../api/hops.ts";
import type { Served } from "../api/rpc.ts";
import type { Hop } from "../world/world.ts";
import type { RoleOptions } from "./role.ts";

export interface ManagerRegistryOptions extends RoleOptions {
  /** Under which other hosts reach this manager: `tcp://10.0.0.1:5001`. Endpoints of this host are registered under it. */
  readonly url: string;
  /** Ours or somebody else's. `hopTo(registry.served)` for one in this process. */
  readonly registry: Hop;
  /** How long an endpoint of another process is kept after its last sign of life. Default: 60,000 ms. */
  readonly leaseMs?: number;
}

/** What a manager knows of its registry. */
export interface RegistryView {
  /** `fresh`: as the registry has it now. `stale`: as it was when it was last reached. `unknown`: never reached. */
  readonly state: "unknown" | "fresh" | "stale";
  /** On `Clock.monotonicMs`: when it became stale. */
  readonly staleSinceMs?: number;
  /** Why the registry cannot be reached, as a sentence. */
  readonly reason?: string;
  readonly services: number;
  readonly endpoints: number;
}

/**
 * The registry as this host sees it. Endpoints that roles of this process register (peer `self`) are kept registered
 * until they are closed, whatever happens to the registry; those of other processes until they stop refreshing.
 */
export interface ManagerRegistry {
  readonly services: ServiceRegistryServer;
  readonly endpoints: EndpointRegistryServer;
  /** Both, for `serveAll`. */
  readonly served: readonly Served[];
  view(): RegistryView;
}

/** Reads the last answers from `World.disk` and begins to follow the registry. Does not wait for it. */
export declare function managerRegistry(options: ManagerRegistryOptions): Promise<ManagerRegistry>;
