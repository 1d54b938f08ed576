/**
 * The other processes of bench/registry.ts: `registry-process.ts serve FILE URL` is the registry, `registry-process.ts load
 * URL` registers again and watches. Each prints one JSON object per line.
 */
import { sized } from "./sized.ts";
import { observation } from "../src/observe/observation.ts";
import { create, toBinary } from "@bufbuild/protobuf";
import { randomUUID } from "node:crypto";
import { createInterface } from "node:readline";
import {
  NetworkServiceEndpointQuerySchema,
  NetworkServiceEndpointRegistry,
  NetworkServiceEndpointSchema,
  type NetworkServiceEndpoint,
} from "../src/api/gen/nsm/registry_pb.js";
import { stationsOver } from "../src/api/hops.ts";
import { methodPath, serveAll } from "../src/api/rpc.ts";
import { rootScope } from "../src/async/task-scope.ts";
import { PLAIN_CREDENTIALS } from "../src/identity/identities.ts";
import { labIdentity } from "../src/identity/lab-identity.ts";
import { registry } from "../src/roles/registry.ts";
import { openStore } from "../src/store/stores.ts";
import { GrpcHops } from "../src/transport/grpc-hops.ts";
import { nodeClock } from "../src/transport/node-clock.ts";
import type { World } from "../src/world/world.ts";
import { peerNamed } from "../fixtures/world/peer.ts";

export const ENDPOINTS = sized(100_000, 1_000);
export const SERVICES = sized(1000, 10);
export const WATCHERS = sized(1000, 10);
const REGISTRATIONS_PER_SECOND = 1000;
const MAX_UNDER_WAY = 256;

export function serviceName(n: number): string {
  return `service-${n % SERVICES}`;
}

function endpoint(n: number): NetworkServiceEndpoint {
  const service = serviceName(n);
  return create(NetworkServiceEndpointSchema, {
    name: `endpoint-${n}`,
    url: `tcp://10.0.${n % 200}.1:5001`,
    networkServiceNames: [service],
    networkServiceLabels: {
      [service]: { labels: { app: service, zone: `zone-${n % 3}`, podName: `pod-${n}` } },
    },
  });
}

/** Hops of this process. The caller closes them. */
export function openHops(): { readonly hops: GrpcHops; readonly world: Pick<World, "clock" | "scope"> } {
  const clock = nodeClock();
  const scope = rootScope("bench", clock);
  return {
    hops: new GrpcHops({ clock, scope, credentials: () => PLAIN_CREDENTIALS, log: () => undefined }),
    world: { clock, scope },
  };
}

function print(line: object): void {
  console.log(JSON.stringify(line));
}

function memoryMiB(): number {
  globalThis.gc?.();
  return process.memoryUsage().rss / 2 ** 20;
}

/** Memory in use by live objects. */
function liveMiB(): number {
  const { heapUsed, external } = process.memoryUsage();
  return (heapUsed + external) / 2 ** 20;
}

async function serve(file: string, url: string): Promise<void> {
  const { hops, world } = openHops();
  const absent = (): never => {
    throw new TypeError("the registry does not use this");
  };
  const { store } = await openStore(`sqlite:${file}`, "open", { world, hops });
  const full: World = {
    ...world,
    host: "bench",
    random: { fraction: absent, bytes: absent },
    ...observation(world.clock),
    keys: { digest: absent, publicKey: absent, sign: absent, verify: absent, uuid: () => randomUUID() },
  };
  const emptyMiB = memoryMiB();
  // Only the load refreshes endpoints, so the lease has to outlive the bench.
  const role = await registry({
    store,
    world: full,
    name: "registry",
    identity: { ...labIdentity({ ...full, hops }, 3.6e6) },
    leaseMs: 3.6e6,
  });
  const startMs = performance.now();
  const peer = peerNamed("tcp:127.0.0.1");
  const caller = { scope: world.scope, deadlineMs: Infinity, peer };
  for (let n = 0; n < ENDPOINTS; n += 1000)
    await Promise.all(
      Array.from({ length: 1000 }, (_, i) => role.endpoints.request(caller, endpoint(n + i))),
    );
  const registerMs = performance.now() - startMs;
  await hops.serve(url, serveAll(role.served));
  print({ registerMs, memoryMiB: memoryMiB() - emptyMiB });
  for await (const line of createInterface({ input: process.stdin }))
    if (line === "memory") print({ memoryMiB: memoryMiB(), liveMiB: liveMiB(), ...role.status() });
  process.exit(0);
}

async function load(url: string): Promise<void> {
  const { hops, world } = openHops();
  const hop = hops.dial(url);
  const { endpoints } = stationsOver(hop, world.clock);
  const told = { events: 0 };
  const find = methodPath(NetworkServiceEndpointRegistry.method.find);
  for (let n = 0; n < WATCHERS; n++) {
    const query = create(NetworkServiceEndpointQuerySchema, {
      networkServiceEndpoint: { networkServiceNames: [serviceName(n)] },
      watch: true,
    });
    const bytes = toBinary(NetworkServiceEndpointQuerySchema, query);
    world.scope.spawn("watch", async () => {
      const answers = hop.watch(find, { bytes, metadata: {} });
      while (await answers.take()) told.events += 1;
    });
  }
  while (told.events < ENDPOINTS) await world.clock.sleep(50);
  print({ initialEvents: told.events });
  await registerAgain(
    world,
    (n) =>
      endpoints.request({ scope: world.scope, deadlineMs: world.clock.monotonicMs() + 10_000 }, endpoint(n)),
    (figures) => print({ ...figures, events: told.events - ENDPOINTS }),
  );
  await world.scope.end();
}

/**
 * Registers at the wanted rate, or slower if the registry does not keep up: the bench measures it and does not overload it.
 */
async function registerAgain(
  world: Pick<World, "clock" | "scope">,
  register: (n: number) => Promise<unknown>,
  onSecond: (figures: { readonly rate: number; readonly p99: number }) => void,
): Promise<void> {
  const startMs = performance.now();
  const count = { sent: 0, done: 0, missed: 0 };
  const latencies: number[] = [];
  const one = async (): Promise<void> => {
    const sentMs = performance.now();
    // The stride reaches every service, so that the load is even.
    await register((count.sent * 7919) % ENDPOINTS);
    count.done += 1;
    latencies.push(performance.now() - sentMs);
  };
  while (!world.scope.ended) {
    const elapsedMs = performance.now() - startMs;
    const due = Math.floor((elapsedMs / 1000) * REGISTRATIONS_PER_SECOND) - count.sent - count.missed;
    const room = MAX_UNDER_WAY - (count.sent - count.done);
    count.missed += Math.max(0, due - room);
    for (let n = Math.min(due, room); n > 0; n--) {
      count.sent += 1;
      world.scope.spawn("register", one);
    }
    await world.clock.sleep(2);
    if (latencies.length < 1000) continue;
    latencies.sort((a, b) => a - b);
    onSecond({ rate: count.done / (elapsedMs / 1000), p99: latencies[990] ?? 0 });
    latencies.length = 0;
  }
}

const [, , role, ...args] = process.argv;
if (import.meta.main && role === "serve") await serve(args[0] ?? "", args[1] ?? "");
if (import.meta.main && role === "load") await load(args[0] ?? "");
