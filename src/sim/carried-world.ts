/**
 * A HostWorld whose every call goes through one carrier, as a name, plain arguments and the real call. The recorder and the
 * replayer are two such carriers, so that neither can forget a call.
 */
import { rootScope } from "../async/task-scope.ts";
import type { Scope } from "../async/scope.ts";
import { type Watch, watchOf } from "../async/watch.ts";
import type { Keys, Random, HostWorld } from "../world/world.ts";
import type { Clock } from "../async/clock.ts";
import type { Disk } from "../world/disk.ts";
import type { Handler, Hops } from "../world/hops.ts";
import type { Store } from "../world/store.ts";
import { carriedHandler, type CarriedHandler } from "./carried-handler.ts";

export interface Carrier {
  /** A synchronous call. */
  ask<T>(name: string, args: unknown, run: (world: HostWorld) => T): T;
  /** An asynchronous call. */
  call<T>(name: string, args: unknown, run: (world: HostWorld) => Promise<T>): Promise<T>;
  /** Opens what later calls work on: a watch. Returns how they reach it. */
  open<T>(name: string, args: unknown, run: (world: HostWorld) => T): () => T;
  /** What calls from outside come to: see `Hops.serve`. */
  listen(handler: CarriedHandler): Handler;
}

export function carriedWorld(host: string, carrier: Carrier): HostWorld {
  const clock = carriedClock(carrier);
  const scope = rootScope(host, clock);
  return {
    host,
    clock,
    random: carriedRandom(carrier),
    keys: carriedKeys(carrier),
    hops: carriedHops(carrier, clock, scope),
    disk: carriedDisk(carrier),
    store: carriedStore(carrier),
    kernel: carriedKernel(carrier),
    scope,
  };
}

function carriedClock(carrier: Carrier): Clock {
  return {
    wallMs: () => carrier.ask("clock.wallMs", [], ({ clock }) => clock.wallMs()),
    monotonicMs: () => carrier.ask("clock.monotonicMs", [], ({ clock }) => clock.monotonicMs()),
    sleep: (durationMs, scope) =>
      carrier.call("clock.sleep", [durationMs, nameOf(scope)], ({ clock }) => clock.sleep(durationMs, scope)),
  };
}

function carriedRandom(carrier: Carrier): Random {
  return {
    fraction: (purpose, n) =>
      carrier.ask("random.fraction", [purpose, n], ({ random }) => random.fraction(purpose, n)),
    bytes: (purpose, n, length) =>
      carrier.ask("random.bytes", [purpose, n, length], ({ random }) => random.bytes(purpose, n, length)),
  };
}

function carriedKeys(carrier: Carrier): Keys {
  return {
    digest: (data) => carrier.ask("keys.digest", [data], ({ keys }) => keys.digest(data)),
    sign: (data) => carrier.ask("keys.sign", [data], ({ keys }) => keys.sign(data)),
    verify: (data, signature) =>
      carrier.ask("keys.verify", [data, signature], ({ keys }) => keys.verify(data, signature)),
    uuid: () => carrier.ask("keys.uuid", [], ({ keys }) => keys.uuid()),
  };
}

function carriedHops(carrier: Carrier, clock: Clock, scope: Scope): Hops {
  return {
    dial: (url) => ({
      call: (method, request, options) =>
        carrier.call(
          "hops.call",
          [url, method, request, options.timeoutMs, nameOf(options.scope)],
          ({ hops }) => hops.dial(url).call(method, request, options),
        ),
      watch: (method, request) =>
        carriedWatch(carrier, "hops.watch", [url, method, request], ({ hops }) =>
          hops.dial(url).watch(method, request),
        ),
    }),
    // No simulated socket is named by an inode.
    hold: () => () => undefined,
    serve: async (url, handler) => {
      const listener = carrier.listen(carriedHandler(handler, scope, clock));
      let stop = async (): Promise<void> => undefined;
      await carrier.call("hops.serve", [url], async ({ hops }) => {
        stop = await hops.serve(url, listener);
      });
      return () => carrier.call("hops.serve.stop", [url], () => stop());
    },
  };
}

function carriedDisk(carrier: Carrier): Disk {
  return {
    read: (name) => carrier.call("disk.read", [name], ({ disk }) => disk.read(name)),
    append: (name, data) => carrier.call("disk.append", [name, data], ({ disk }) => disk.append(name, data)),
    replace: (name, data) =>
      carrier.call("disk.replace", [name, data], ({ disk }) => disk.replace(name, data)),
    sync: (name) => carrier.call("disk.sync", [name], ({ disk }) => disk.sync(name)),
  };
}

function carriedStore(carrier: Carrier): Store {
  return {
    get: (key) => carrier.call("store.get", [key], ({ store }) => store.get(key)),
    list: (prefix) => carrier.call("store.list", [prefix], ({ store }) => store.list(prefix)),
    put: (key, value, options) =>
      carrier.call("store.put", [key, value, options], ({ store }) => store.put(key, value, options)),
    delete: (key, options) =>
      carrier.call("store.delete", [key, options], ({ store }) => store.delete(key, options)),
    grantLease: (ttlMs) => carrier.call("store.grantLease", [ttlMs], ({ store }) => store.grantLease(ttlMs)),
    keepAlive: (lease) => carrier.call("store.keepAlive", [lease], ({ store }) => store.keepAlive(lease)),
    revokeLease: (lease) =>
      carrier.call("store.revokeLease", [lease], ({ store }) => store.revokeLease(lease)),
    watch: (prefix, revision) =>
      carriedWatch(carrier, "store.watch", [prefix, revision], ({ store }) => store.watch(prefix, revision)),
  };
}

function carriedKernel(carrier: Carrier): HostWorld["kernel"] {
  return {
    apply: (batch, options) =>
      carrier.call("kernel.apply", [batch, options], ({ kernel }) => kernel.apply(batch, options)),
    observe: (queries) => carrier.call("kernel.observe", [queries], ({ kernel }) => kernel.observe(queries)),
    nativeNetworks: (queries) =>
      carrier.call("kernel.nativeNetworks", [queries], ({ kernel }) => kernel.nativeNetworks(queries)),
    counters: (queries) =>
      carrier.call("kernel.counters", [queries], ({ kernel }) => kernel.counters(queries)),
    resolve: (netns) => carrier.call("kernel.resolve", [netns], ({ kernel }) => kernel.resolve(netns)),
    watch: () => carriedWatch(carrier, "kernel.watch", [], ({ kernel }) => kernel.watch()),
    settle: () => carrier.call("kernel.settle", [], ({ kernel }) => kernel.settle()),
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
    take: () => carrier.call(`${name}.next`, args, () => watch().take()),
    close: () => carrier.ask(`${name}.close`, args, () => watch().close()),
  });
}

function nameOf(scope: Scope | undefined): string | undefined {
  return scope?.name;
}
