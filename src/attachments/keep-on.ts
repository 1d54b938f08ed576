/** Keeps a task of an agent running as long as the agent. */
import { NetloomError } from "../errors/errors.ts";
import type { Scope } from "../async/scope.ts";
import type { World } from "../world/world.ts";
import { backoffMs } from "../async/backoff.ts";

/** Runs `task`. Logs an unexpected error as a bug and runs the task again after a backoff; a NetloomError is thrown. */
export async function keepOn(
  world: World,
  what: string,
  scope: Scope,
  task: (scope: Scope) => Promise<void>,
): Promise<void> {
  for (let failures = 1; !scope.ended; failures++) {
    try {
      return await task(scope);
    } catch (error) {
      if (error instanceof NetloomError) throw error;
      world.log.error("bug in a task of the agent", { task: what }, error);
      const fraction = world.random.fraction(`after a bug in ${what}`, failures);
      await world.clock.sleep(backoffMs(failures, fraction), scope);
    }
  }
}
