/** Repeats checks that depend on the network of this host when that network changes. */
import { backoffMs } from "../async/backoff.ts";
import type { Scope } from "../async/scope.ts";
import { Signal } from "../async/signal.ts";
import { keepOn } from "../attachments/keep-on.ts";
import { NetloomError } from "../errors/errors.ts";
import type { Kernel, KernelEvent } from "../kernel/kernel.ts";
import type { World } from "../world/world.ts";

/** Pause between two checks. The first change after a quiet time is checked at once. */
const PAUSE_MS = 250;

export interface FollowHostOptions {
  readonly world: World;
  readonly kernel: Pick<Kernel, "watch">;
  /** The checks by name, such as `check the ways to other hosts`. A failed check is repeated with pauses. */
  readonly looks: ReadonlyMap<string, () => Promise<void>>;
}

/** Runs the checks until `World.scope` ends: at once, and after changes. A burst of changes causes one check. */
export function followHost({ world, kernel, looks }: FollowHostOptions): void {
  const signal = new Signal();
  const keep = (what: string, task: (scope: Scope) => Promise<void>): void =>
    world.scope.spawn(what, (scope) => keepOn(world, what, scope, task));
  keep("watch the host's network", async (scope) => {
    const watch = kernel.watch();
    // Something may have changed before the watch started.
    signal.ring();
    for await (const event of watch.within(scope)) if (isOfHost(event)) signal.ring();
  });
  keep("follow the host's network", async (scope) => {
    for (let failures = 0; !scope.ended;) {
      await signal.wait(world.clock, scope, failures === 0 ? Infinity : pauseAfter(world, failures));
      if (scope.ended) return;
      failures = (await lookAll(world, looks)) ? 0 : failures + 1;
      await world.clock.sleep(PAUSE_MS, scope);
    }
  });
}

function isOfHost(event: KernelEvent): boolean {
  if (event.type === "resync") return true;
  if (event.netns !== "host" || event.type === "netns-removed" || event.type === "neighbor") return false;
  // Ways to other hosts never use a wire's device.
  return event.type !== "link" || event.facts?.isOurs !== true;
}

function pauseAfter({ random }: World, failures: number): number {
  return backoffMs(failures, random.fraction("follow the host's network", failures));
}

/** Runs all checks. True if all succeeded. */
async function lookAll({ retries }: World, looks: FollowHostOptions["looks"]): Promise<boolean> {
  let isFine = true;
  for (const [what, look] of looks)
    try {
      await look();
      retries.over(what);
    } catch (error) {
      if (!(error instanceof NetloomError)) throw error;
      retries.failed(what, error);
      isFine = false;
    }
  return isFine;
}
