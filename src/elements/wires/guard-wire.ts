/** Protects a wire from callers that do not own it. */
import { memoryKey } from "../../chain/call.ts";
import { type Authorize, mustAllow, question } from "../../policy/authorize.ts";
import type { Principal } from "../../world/peer.ts";
import { connectionOf, type ConnectionElement } from "../connection.ts";
import { wireIdOf } from "./wire-id.ts";

interface Owner {
  readonly principal: Principal;
  readonly connections: Set<string>;
}

const GUARDED = memoryKey<string>("guard-wire: wire");

/**
 * For a role with callers that do not trust each other. The kernel objects of a wire belong to an id that the caller
 * chooses in its path.
 *
 * Guarantees
 * - While a connection of a wire is established, `authorize` checks each request for the same wire against the owner of
 *   the first one. So no caller can take over a wire by its id.
 */
export function guardWire(authorize: Authorize): ConnectionElement {
  const owners = new Map<string, Owner>();
  return {
    name: "guard-wire",
    async request(call, request, next) {
      const connection = connectionOf(request);
      const wireId = wireIdOf(connection);
      const owner = owners.get(wireId) ?? { principal: call.peer.principal, connections: new Set() };
      mustAllow(
        authorize,
        question(call.peer, "request", { kind: "wire", id: wireId, owner: owner.principal }),
      );
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
