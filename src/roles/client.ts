import type { ConnectionHop } from "../api/hops.ts";
import type { Connection } from "../api/gen/nsm/connection_pb.js";
import type { ConnectionRole, RoleOptions } from "./role.ts";

/** How a connection of this client is. */
export interface ClientNews {
  /** Id of path segment 0. */
  readonly id: string;
  readonly state: "up" | "healing" | "closed";
  /** Why it heals, as a sentence. */
  readonly reason?: string;
  /** The last answer. */
  readonly connection: Connection;
}

export interface ClientOptions extends RoleOptions {
  /** The manager. */
  readonly next: ConnectionHop;
  /** Added to the labels of every request where they are not given. `nodeName`, `podName`, `clusterName` upstream. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Is there a packet's way through the wire? Without it every loss is answered by another endpoint. */
  readonly isAlive?: (connection: Connection) => Promise<boolean>;
  readonly onNews?: (news: ClientNews) => void;
}

/**
 * Asks for connections on behalf of workloads, refreshes and heals them. `request` with an id that is known refreshes;
 * a first request that fails is not repeated. Connections that have been established heal until they are closed.
 */
export declare function client(options: ClientOptions): ConnectionRole;
