/** Whoever is not on this host has no business in its namespaces. */
import { NetloomError } from "../errors/errors.ts";
import { isLocal } from "../world/peer.ts";
import { connectionOf, type ConnectionElement } from "./connection.ts";
import { LOCAL } from "./mechanism.ts";

/**
 * For a role with callers of other hosts.
 *
 * Guarantees
 * - LOCAL mechanisms of a caller from elsewhere are not seen by anybody behind; a connection that has one is
 *   PERMISSION_DENIED. A class that is not given counts as local unless the type is a tunnel's.
 */
export function localMechanisms(): ConnectionElement {
  return {
    name: "local-mechanisms",
    async request(call, request, next) {
      if (!isLocal(call.peer)) {
        const connection = connectionOf(request);
        if (connection.mechanism && isLocalMechanism(connection.mechanism)) {
          throw new NetloomError(
            "PERMISSION_DENIED",
            `request connection ${connection.id}: ${connection.mechanism.type} is for callers on this host`,
          );
        }
        request.mechanismPreferences = request.mechanismPreferences.filter((each) => !isLocalMechanism(each));
      }
      return await next(request);
    },
  };
}

function isLocalMechanism({ cls, type }: { readonly cls: string; readonly type: string }): boolean {
  return cls === LOCAL || ["KERNEL", "MEMIF", "VFIO"].includes(type);
}
