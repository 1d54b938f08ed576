/** Tasks of an agent that go on for as long as it runs. */
import { NetloomError } from "../errors/errors.ts";
import type { Scope } from "../async/scope.ts";
import type { World } from "../world/world.ts";
import { backoffMs } from "../async/backoff.ts";

/** Runs `task`, and runs it again when it has ended with an error that nobody has expected: that is said. */
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
