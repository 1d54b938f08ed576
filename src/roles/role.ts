/** The options that all connection roles have in common. */
import type { Connection } from "../api/gen/nsm/connection_pb.js";
import type { ConnectionHop, ConnectionServer, Directory } from "../api/hops.ts";
import type { Call } from "../chain/call.ts";
import type { Identity } from "../identity/identity.ts";
import { NetloomError } from "../errors/errors.ts";
import type { World } from "../world/world.ts";

export interface RoleOptions {
  readonly world: World;
  /** Name of the role's path segment. Unique among all processes of the mesh: `manager-alpha`. */
  readonly name: string;
  readonly identity: Identity;
}

/**
 * A role for connections. `serveConnections` puts it on a listener, `connectionsOf` makes it the next station of
 * another role. It runs until `World.scope` ends. The end of the scope closes no connection, so that a restarted
 * process finds the connections.
 */
export interface ConnectionRole extends ConnectionServer {
  /** The connections that this role has established now. */
  established(): Connection[];
  /** The last reported reason why an established connection is down; `undefined` if it is not down. */
  whyDown(id: string): string | undefined;
  /**
   * Closes a connection by its own id, like a close by its client. For example, the endpoint stops, or its service is
   * no longer for this client.
   */
  drop(id: string): Promise<void>;
  /** Runs `task` while no call of the connection with this own id runs. */
  inTurn(id: string, task: () => Promise<void>): Promise<void>;
  /**
   * Asks the clients of all connections, or of those with these own ids, to refresh, because this role's answer has
   * changed. `ids` is the complete list of connections to ask: it ends an earlier call with ids.
   */
  requestRefresh(ids?: readonly string[]): void;
}

/** The next station, at the URL chosen by an earlier element. */
export function hopByUrl(directory: Directory): (call: Call) => ConnectionHop {
  return ({ nextUrl }) => {
    if (nextUrl === undefined || nextUrl === "") {
      throw new NetloomError("UNAVAILABLE", "call the next station: its registration has no URL");
    }
    return directory.connect(nextUrl).connections;
  };
}
