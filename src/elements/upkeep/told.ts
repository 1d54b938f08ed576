/** A connection as watchers see it. */
import { copyMessage } from "../../api/copy-message.ts";
import type { Connection } from "../../api/gen/nsm/connection_pb.js";
import type { Principal } from "../../world/peer.ts";

/** The part of a connection that a watcher may see. */
export type Sight = "nothing" | "all but tokens" | "all";

/** Immutable: all watchers share it, and an event replaces it. */
export class Told {
  readonly connection: Connection;
  /** The principal that established the connection. */
  readonly owner: Principal;
  #withoutTokens: Connection | undefined;

  constructor(connection: Connection, owner: Principal) {
    this.connection = copyMessage(connection);
    this.owner = owner;
  }

  seen(sight: Sight): Connection | undefined {
    if (sight === "nothing") return undefined;
    return sight === "all" ? this.connection : (this.#withoutTokens ??= withoutTokens(this.connection));
  }
}

function withoutTokens(connection: Connection): Connection {
  if (!connection.path?.pathSegments.some(({ token }) => token !== "")) return connection;
  const bare = copyMessage(connection);
  for (const segment of bare.path?.pathSegments ?? []) segment.token = "";
  return bare;
}
