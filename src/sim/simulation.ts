/**
 * A simulated fleet: hosts that share a network and a store, each with a disk and a kernel that survive its crashes. One
 * seed and one fault list give one run.
 */
import { logThatFails } from "../observe/log.ts";
import { observation } from "../observe/observation.ts";
import { rootScope } from "../async/task-scope.ts";
import { NetloomError } from "../errors/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Scope } from "../async/scope.ts";
import type { Random, HostWorld } from "../world/world.ts";
import type { Clock } from "../async/clock.ts";
import type { Credentials } from "../world/credentials.ts";
import type { Store } from "../world/store.ts";
import { SimClock } from "./clock.ts";
import { SimDisk } from "./disk.ts";
import { describeFault, type Fault, FaultPlan, STORE_HOST } from "./faults.ts";
import { guardedKernel } from "./kernel/guarded-kernel.ts";
import { SimKeys } from "./keys.ts";
import { Life } from "./life.ts";
import { SimNetwork } from "./network/network.ts";
import { SimRandom } from "./random.ts";
import { Scheduler, type SchedulerOptions } from "./scheduler.ts";
import { sharedStore } from "./shared-store.ts";

/** The program of a host, from its start to its crash. An error of the program fails the run. */
export type HostProgram = (world: HostWorld) => Promise<void>;

export interface SimulationOptions extends SchedulerOptions {
  readonly hosts: readonly string[];
  /** Default: none. */
  readonly faults?: readonly Fault[];
  /** Makes the kernel of a host, once. The clock is that of the machine, which never stops. */
  readonly kernel: (machine: {
    readonly host: string;
    readonly clock: Clock;
    readonly random: Random;
  }) => Kernel;
  /** The credentials of a host, in all its lives. */
  readonly credentials: (host: string) => Credentials;
  /** Called when the process of a host has died. */
  readonly onDeath?: (host: string) => void;
  /** Makes the store that all hosts share. */
  readonly store: (clock: Clock, scope: Scope) => Store;
}

interface Host {
  readonly name: string;
  readonly disk: SimDisk;
  readonly kernel: Kernel;
  readonly random: SimRandom;
  readonly credentials: Credentials;
  program: HostProgram | undefined;
  life: Life | undefined;
  scope: Scope | undefined;
  starts: number;
  batches: number;
  wallOffsetMs: number;
}

/** Runs a program until its tasks end. An error of a task is an error of the program. */
async function live(program: HostProgram, world: HostWorld): Promise<void> {
  await program(world);
  await world.scope.done;
  await world.scope.end();
}

export class Simulation {
  readonly scheduler: Scheduler;
  readonly faults: FaultPlan;
  /** A clock outside the hosts, which never crashes, for the oracle of a workload. */
  readonly clock: Clock;
  readonly #network: SimNetwork;
  readonly #store: Store;
  readonly #hosts: ReadonlyMap<string, Host>;
  readonly #onDeath: SimulationOptions["onDeath"];
  #operations = 0;

  constructor(options: SimulationOptions) {
    this.scheduler = new Scheduler(options);
    this.faults = new FaultPlan(options.faults ?? []);
    this.#onDeath = options.onDeath;
    this.clock = this.#machineClock("outside");
    this.#network = new SimNetwork(this.scheduler, this.faults);
    const storeClock = this.#machineClock(STORE_HOST);
    this.#store = options.store(storeClock, rootScope(STORE_HOST, storeClock));
    this.#hosts = new Map(options.hosts.map((name) => [name, this.#makeHost(name, options)]));
    for (const fault of this.faults.faults) this.#plan(fault);
  }

  /** The number of World calls by all hosts. */
  get operations(): number {
    return [...this.#hosts.values()].reduce((sum, { life }) => sum + (life?.calls ?? 0), this.#operations);
  }

  /** A host's kernel from outside, for the oracle of a workload. */
  kernel(host: string): Kernel {
    return this.#host(host).kernel;
  }

  /** Runs `program` on `host`, now and again after each crash. */
  start(host: string, program: HostProgram): void {
    const started = this.#host(host);
    started.program = program;
    this.#begin(started);
  }

  /**
   * Crashes the process of `host`: pending calls of its World never settle, its memory is dropped, its unsynced writes may
   * vanish (rule R6).
   */
  crash(host: string): void {
    const { life, disk } = this.#host(host);
    if (!life) return;
    this.#operations += life.calls;
    life.end();
    disk.crash();
    this.#host(host).life = undefined;
    this.#host(host).scope = undefined;
    this.#onDeath?.(host);
  }

  /** Restarts the program of a crashed host, with a new World on the same disk and kernel. */
  restart(host: string): void {
    this.#begin(this.#host(host));
  }

  /** Runs until `goal` settles: see `Scheduler.run`. */
  run<T>(goal: Promise<T>): Promise<T> {
    return this.scheduler.run(goal);
  }

  /** Runs until no event is left. */
  runUntilQuiet(): Promise<void> {
    return this.scheduler.runUntilQuiet();
  }

  #begin(host: Host): void {
    if (host.life || !host.program) return;
    const life = new Life(this.scheduler, host.name, host.starts++);
    const world = this.#world(host, life);
    host.life = life;
    host.scope = world.scope;
    life.onEnd(this.scheduler.onStuck(() => world.scope.running.map((task) => `${host.name}: task ${task}`)));
    live(host.program, world).catch((error: unknown) => this.scheduler.fail(error));
  }

  #world(host: Host, life: Life): HostWorld {
    const clock = new SimClock(life, () => host.wallOffsetMs);
    const scope = rootScope(host.name, clock);
    const { faults } = this;
    return {
      host: host.name,
      clock,
      random: host.random,
      keys: new SimKeys(life),
      hops: this.#network.hops({ life, clock, scope, credentials: host.credentials }),
      disk: host.disk.open(life),
      store: sharedStore(this.#store, this.#network, life),
      kernel: guardedKernel(host.kernel, life, {
        faults,
        random: host.random,
        nextBatch: () => host.batches++,
      }),
      scope,
      ...observation(clock, { log: logThatFails((bug) => this.scheduler.fail(bug)) }),
    };
  }

  #makeHost(name: string, options: SimulationOptions): Host {
    const random = new SimRandom(options.seed, name);
    return {
      name,
      disk: new SimDisk(name, options.seed, this.faults),
      kernel: options.kernel({ host: name, clock: this.#machineClock(`${name}/kernel`), random }),
      random,
      credentials: options.credentials(name),
      program: undefined,
      life: undefined,
      scope: undefined,
      starts: 0,
      batches: 0,
      wallOffsetMs: 0,
    };
  }

  /** Schedules the faults that strike at a time. */
  #plan(fault: Fault): void {
    if (fault.kind !== "crash" && fault.kind !== "clock") return;
    const host = this.#host(fault.host);
    const event = { host: fault.host, kind: "fault", detail: describeFault(fault) };
    this.scheduler.after(fault.atMs, event, () => {
      if (fault.kind === "crash" && !host.life) return "is down already";
      this.faults.strike(fault);
      if (fault.kind === "clock") {
        host.wallOffsetMs += fault.jumpMs;
      } else {
        this.crash(fault.host);
        this.scheduler.after(fault.downMs, { host: fault.host, kind: "start", detail: "" }, () =>
          this.restart(fault.host),
        );
      }
      return undefined;
    });
  }

  #machineClock(name: string): Clock {
    return new SimClock(new Life(this.scheduler, name, 0));
  }

  #host(name: string): Host {
    const host = this.#hosts.get(name);
    if (!host) throw new NetloomError("NOT_FOUND", `simulate ${name}: no such host`);
    return host;
  }
}
