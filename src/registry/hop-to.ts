import { SELF } from "../world/peer.ts";
import type { World } from "../world/world.ts";
import type { Handler, Hop } from "../world/hops.ts";

/** A hop to a handler of this process: for an agent that is its own registry. */
export function hopTo(handler: Handler, world: Pick<World, "clock" | "scope">): Hop {
  return {
    peer: () => Promise.resolve(SELF),
    call: async (method, request, { timeoutMs, scope = world.scope }) => {
      const own = scope.child(method, { timeoutMs });
      const deadlineMs = world.clock.monotonicMs() + timeoutMs;
      try {
        return await handler.call({ ...request, method, peer: SELF, scope: own, deadlineMs });
      } finally {
        await own.end();
      }
    },
    watch: (method, request) =>
      handler.watch({ ...request, method, peer: SELF, scope: world.scope, deadlineMs: Infinity }),
  };
}
