/**
 * A HostWorld that passes every call through one carrier, as a name, plain arguments and the real call. The recorder and
 * the replayer are carriers, so neither can miss a call.
 */
import type { Log } from "../../observe/log.ts";
import { observation } from "../../observe/observation.ts";
import { rootScope } from "../../async/task-scope.ts";
import type { Scope } from "../../async/scope.ts";
import { type Watch, watchOf } from "../../async/watch.ts";
import type { Keys, Random, HostWorld } from "../../world/world.ts";
import type { Clock } from "../../async/clock.ts";
import type { Disk } from "../../world/disk.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { Handler, Hop, Hops } from "../../world/hops.ts";
import type { Store } from "../../world/store.ts";
import { carriedHandler, type CarriedHandler } from "./carried-handler.ts";

export interface Carrier {
  /** A synchronous call. */
  ask<T>(name: string, args: unknown, run: (world: HostWorld) => T): T;
  /** An asynchronous call. */
  call<T>(name: string, args: unknown, run: (world: HostWorld) => Promise<T>): Promise<T>;
  /** Opens a watch for later calls. Returns a function that gives access to it. */
  open<T>(name: string, args: unknown, run: (world: HostWorld) => T): () => T;
  /** Wraps the handler of calls from outside: see `Hops.serve`. */
  listen(handler: CarriedHandler): Handler;
}

/** The way to carry a method, by its result: a watch, a promise, or a plain value. */
type How<F> = F extends (...args: never[]) => Watch<unknown>
  ? "watch"
  : F extends (...args: never[]) => Promise<unknown>
    ? "call"
    : "ask";

/** A port with all of its methods: the compiler reports a method that is missing or carried in the wrong way. */
type Description<P> = { readonly [M in keyof P]-?: How<P[M]> };

const CLOCK = { wallMs: "ask", monotonicMs: "ask", sleep: "call" } as const satisfies Description<Clock>;
const RANDOM = { fraction: "ask", bytes: "ask" } as const satisfies Description<Random>;
const KEYS = {
  digest: "ask",
  publicKey: "ask",
  sign: "ask",
  verify: "ask",
  uuid: "ask",
} as const satisfies Description<Keys>;
const HOP = { peer: "call", call: "call", watch: "watch" } as const satisfies Description<Hop>;
const DISK = {
  read: "call",
  append: "call",
  replace: "call",
  sync: "call",
} as const satisfies Description<Disk>;
const STORE = {
  get: "call",
  list: "call",
  put: "call",
  delete: "call",
  keepAlive: "call",
  watch: "watch",
} as const satisfies Description<Store>;
const KERNEL = {
  apply: "call",
  observe: "call",
  nativeNetworks: "call",
  counters: "call",
  devices: "call",
  ways: "call",
  addresses: "call",
  drops: "call",
  resolve: "call",
  watch: "watch",
  settle: "call",
} as const satisfies Description<Kernel>;

/** A HostWorld over `carrier`. Logging goes directly to `log`, because it does not influence the program. */
export function carriedWorld(host: string, carrier: Carrier, log: Log): HostWorld {
  const clock = carried(carrier, "clock", CLOCK, (world) => world.clock);
  const scope = rootScope(host, clock);
  return {
    host,
    clock,
    random: carried(carrier, "random", RANDOM, (world) => world.random),
    keys: carried(carrier, "keys", KEYS, (world) => world.keys),
    hops: carriedHops(carrier, clock, scope),
    disk: carried(carrier, "disk", DISK, (world) => world.disk),
    store: carried(carrier, "store", STORE, (world) => world.store),
    kernel: carried(carrier, "kernel", KERNEL, (world) => world.kernel),
    scope,
    ...observation(clock, { log }),
  };
}

/** Wraps the port that `portOf` finds in a World, method by method. `about` precedes the arguments of each call. */
function carried<P extends object>(
  carrier: Carrier,
  port: string,
  description: Description<NoInfer<P>>,
  portOf: (world: HostWorld) => P,
  about: readonly unknown[] = [],
): P {
  type Call = (...args: readonly unknown[]) => unknown;
  const calls = Object.entries<string>(description).map(([method, how]): [string, Call] => {
    const name = `${port}.${method}`;
    return [
      method,
      (...args) => {
        const run = (world: HostWorld): unknown => {
          const target = portOf(world) as Readonly<Record<string, Call>>;
          return target[method]?.(...args);
        };
        const plain = [...about, ...args.map(withoutScope)];
        if (how === "ask") return carrier.ask(name, plain, run);
        if (how === "call") return carrier.call(name, plain, (world) => run(world) as Promise<unknown>);
        return carriedWatch(carrier, name, plain, (world) => run(world) as Watch<unknown>);
      },
    ];
  });
  return Object.fromEntries(calls) as P;
}

function carriedHops(carrier: Carrier, clock: Clock, scope: Scope): Hops {
  return {
    dial: (url, credentials) => {
      const about = credentials ? [url, credentials.name] : [url];
      return carried(carrier, "hops", HOP, ({ hops }) => hops.dial(url, credentials), about);
    },
    addressesOf: (url) => carrier.call("hops.addressesOf", [url], ({ hops }) => hops.addressesOf(url)),
    // No simulated socket is named by an inode.
    hold: () => Promise.resolve(() => undefined),
    serve: async (url, handler, credentials) => {
      const listener = carrier.listen(carriedHandler(handler, scope, clock));
      let stop = async (): Promise<void> => undefined;
      await carrier.call("hops.serve", [url], async ({ hops }) => {
        stop = await hops.serve(url, listener, credentials);
      });
      return () => carrier.call("hops.serve.stop", [url], () => stop());
    },
  };
}

function carriedWatch<T>(
  carrier: Carrier,
  name: string,
  args: unknown,
  open: (world: HostWorld) => Watch<T>,
): Watch<T> {
  const watch = carrier.open(name, args, open);
  return watchOf({
    take: () => carrier.call(`${name}.take`, args, () => watch().take()),
    close: () => carrier.ask(`${name}.close`, args, () => watch().close()),
  });
}

/** An argument as plain data: a scope, or the scope in options, becomes its name. */
function withoutScope(argument: unknown): unknown {
  if (typeof argument !== "object" || argument === null) return argument;
  if (isScope(argument)) return argument.name;
  if (!("scope" in argument)) return argument;
  return { ...argument, scope: withoutScope(argument.scope) };
}

function isScope(value: object): value is Scope {
  return "spawn" in value && "done" in value;
}
