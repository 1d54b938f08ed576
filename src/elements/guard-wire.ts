/** Who may speak for a wire. */
import { memoryKey } from "../chain/call.ts";
import { NetloomError } from "../errors/errors.ts";
import { isSamePrincipal, type Principal } from "../world/peer.ts";
import { connectionOf, type ConnectionElement } from "./connection.ts";
import { wireIdOf } from "./wire-id.ts";

interface Owner {
  readonly principal: Principal;
  readonly connections: Set<string>;
}

const GUARDED = memoryKey<string>("guard-wire: wire");

/**
 * For a role with callers that do not trust each other. What is made in the kernel belongs to an id that the caller
 * chooses, in its path.
 *
 * Guarantees
 * - As long as a connection of a wire is established, only the peer that has established it gets another one for the
 *   same wire (PERMISSION_DENIED): nobody takes over a wire by naming it.
 */
export function guardWire(): ConnectionElement {
  const owners = new Map<string, Owner>();
  return {
    name: "guard-wire",
    async request(call, request, next) {
      const connection = connectionOf(request);
      const wireId = wireIdOf(connection);
      const owner = owners.get(wireId) ?? { principal: call.peer.principal, connections: new Set() };
      if (!isSamePrincipal(owner.principal, call.peer.principal)) {
        throw new NetloomError("PERMISSION_DENIED", `request wire ${wireId}: it belongs to another peer`, {
          topic: "NL-305",
        });
      }
      owners.set(wireId, owner);
      owner.connections.add(connection.id);
      call.memory.set(GUARDED, wireId);
      return await next(request);
    },
    async close(call, connection, next) {
      const wireId = call.memory.delete(GUARDED);
      try {
        await next(connection);
      } finally {
        const owner = wireId === undefined ? undefined : owners.get(wireId);
        owner?.connections.delete(connection.id);
        if (wireId !== undefined && owner?.connections.size === 0) owners.delete(wireId);
      }
    },
  };
}
