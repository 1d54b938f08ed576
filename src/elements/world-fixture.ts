/** Worlds in virtual time, for tests of elements and roles: no network, no disk, a simulated machine for all hosts. */
import { logThatFails } from "../observe/log.ts";
import { observation } from "../observe/observation.ts";
import { drain } from "../../scripts/simulated-toy.ts";
import { rootScope } from "../async/task-scope.ts";
import { SimClock } from "../sim/clock.ts";
import { SimKeys } from "../sim/keys.ts";
import { Life } from "../sim/life.ts";
import { SimMachine } from "../sim/kernel.ts";
import { SimRandom } from "../sim/random.ts";
import { Scheduler } from "../sim/scheduler.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { HostWorld } from "../world/world.ts";

export class Worlds {
  readonly scheduler: Scheduler;
  readonly machine: SimMachine;
  readonly #seed: string;
  readonly #worlds: HostWorld[] = [];

  constructor(seed = "1") {
    this.#seed = seed;
    this.scheduler = new Scheduler({ seed, drain, limitMs: 1e9 });
    this.machine = new SimMachine({ clock: new SimClock(new Life(this.scheduler, "machine", 0)) });
  }

  world(host: string, kernel: Kernel = this.machine.kernel()): HostWorld {
    const life = new Life(this.scheduler, host, 0);
    const clock = new SimClock(life);
    const absent = (what: string) => () => {
      throw new TypeError(`${host} has no ${what}`);
    };
    const world: HostWorld = {
      host,
      clock,
      random: new SimRandom(this.#seed, host),
      keys: new SimKeys(life),
      hops: {
        dial: absent("network"),
        addressesOf: absent("network"),
        hold: () => Promise.resolve(() => undefined),
        serve: absent("network"),
      },
      disk: { read: absent("disk"), append: absent("disk"), replace: absent("disk"), sync: absent("disk") },
      get store() {
        return absent("store")();
      },
      kernel,
      scope: rootScope(host, clock),
      ...observation(clock, { log: logThatFails((bug) => this.scheduler.fail(bug)) }),
    };
    this.#worlds.push(world);
    return world;
  }

  /** Runs `body` in virtual time; fails if a task of a world has failed. */
  async run(body: () => Promise<void>): Promise<void> {
    await this.scheduler.run(
      (async () => {
        await body();
        for (const world of this.#worlds) await world.scope.end();
      })(),
    );
  }
}
