/** What all connection roles have in common. */
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
 * A role of a connection. `serveConnections` puts it on a listener, `connectionsOf` makes it the next station of another
 * role. It lives until `World.scope` ends; that closes no connection, so that a restart finds them.
 */
export interface ConnectionRole extends ConnectionServer {
  /** The connections that are established now, as this role knows them. */
  established(): Connection[];
  /** Why an established connection is down, as it was heard last; `undefined` if it is not. */
  whyDown(id: string): string | undefined;
  /** Closes one of them by its own id, as if its client had: the endpoint stops, or its service is not for it any more. */
  drop(id: string): Promise<void>;
  /** Runs `task` when no call of the connection with this own id does. */
  inTurn(id: string, task: () => Promise<void>): Promise<void>;
  /**
   * Asks the clients of all connections, or of those with these own ids, to refresh them: what this role answers has changed. Ids are
   * all that are still to be asked: an earlier call with ids ends.
   */
  requestRefresh(ids?: readonly string[]): void;
}

/** The next station, at the URL that an element in front has chosen. */
export function hopByUrl(directory: Directory): (call: Call) => ConnectionHop {
  return ({ nextUrl }) => {
    if (nextUrl === undefined || nextUrl === "") {
      throw new NetloomError("UNAVAILABLE", "call the next station: its registration has no URL");
    }
    return directory.connect(nextUrl).connections;
  };
}
