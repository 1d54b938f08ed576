/** Simulated hosts with a registry among them, in virtual time, for tests of the registry and of those who follow it. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { setImmediate } from "node:timers";
import {
  type NetworkService,
  type NetworkServiceEndpoint,
  type NetworkServiceEndpointQuery,
  NetworkServiceEndpointQuerySchema,
  NetworkServiceEndpointSchema,
  type NetworkServiceQuery,
  NetworkServiceQuerySchema,
  NetworkServiceSchema,
} from "../api/gen/nsm/registry_pb.js";
import type { Caller } from "../api/hops.ts";
import { SimMachine } from "../sim/kernel.ts";
import type { Fault } from "../sim/faults.ts";
import { Simulation } from "../sim/simulation.ts";
import { MemoryStore } from "../store/memory/memory-store.ts";
import type { Watch } from "../async/watch.ts";
import type { World, HostWorld } from "../world/world.ts";
import type { Clock } from "../async/clock.ts";
import type { Metadata } from "../world/hops.ts";
import { peerNamed } from "../world/peer-fixture.ts";
import type { Credentials } from "../world/credentials.ts";
import type { Store } from "../world/store.ts";
import { PLAIN_CREDENTIALS } from "../identity/identities.ts";

export interface Hosts {
  readonly simulation: Simulation;
  readonly clock: Clock;
  /** The world of a host's present life, once it has started. */
  readonly world: (host: string) => Promise<HostWorld>;
  /** Resolves when `condition` holds; it is looked at every 10 ms. */
  readonly until: (condition: () => boolean) => Promise<void>;
}

/** Runs `body` among hosts that run `programs`, again after each crash. */
export async function withHosts(
  programs: Readonly<Record<string, (world: HostWorld) => Promise<void>>>,
  body: (hosts: Hosts) => Promise<void>,
  options: {
    readonly seed?: string;
    readonly faults?: readonly Fault[];
    readonly store?: (store: Store) => Store;
    /** Default: none of them proves anything. */
    readonly credentials?: (host: string) => Credentials;
  } = {},
): Promise<void> {
  const { seed = "1", faults = [], store = (it) => it, credentials = () => PLAIN_CREDENTIALS } = options;
  const simulation = new Simulation({
    seed,
    faults,
    limitMs: 1e8,
    hosts: Object.keys(programs),
    drain: () => new Promise((resolve) => void setImmediate(resolve)),
    kernel: ({ clock, random }) => new SimMachine({ clock, random }).kernel(),
    credentials,
    store: (clock, scope) => store(new MemoryStore({ clock, scope })),
  });
  const worlds = new Map<string, HostWorld>();
  for (const [host, program] of Object.entries(programs)) {
    simulation.start(host, async (world) => {
      worlds.set(host, world);
      await program(world);
    });
  }
  const { clock } = simulation;
  const until = async (condition: () => boolean): Promise<void> => {
    while (!condition()) await clock.sleep(10);
  };
  const world = async (host: string): Promise<HostWorld> => {
    await until(() => worlds.has(host));
    return worlds.get(host) as HostWorld;
  };
  await simulation.run(body({ simulation, clock, world, until }));
}

/** A call from outside, of a peer of this name. */
export function callerOf(world: HostWorld, peer = "tcp:10.0.0.1", metadata: Metadata = {}): Caller {
  return {
    scope: world.scope,
    deadlineMs: 1e7,
    peer: peerNamed(peer),
    metadata,
  };
}

export function endpointOf(
  name: string,
  init: MessageInitShape<typeof NetworkServiceEndpointSchema> = {},
): NetworkServiceEndpoint {
  const url = "tcp://10.0.0.1:5001";
  return create(NetworkServiceEndpointSchema, { name, url, networkServiceNames: ["shop"], ...init });
}

export function serviceOf(
  name: string,
  init: MessageInitShape<typeof NetworkServiceSchema> = {},
): NetworkService {
  return create(NetworkServiceSchema, { name, ...init });
}

export function endpointQuery(
  like: MessageInitShape<typeof NetworkServiceEndpointSchema> = {},
  watch = false,
): NetworkServiceEndpointQuery {
  return create(NetworkServiceEndpointQuerySchema, { networkServiceEndpoint: like, watch });
}

export function serviceQuery(
  like: MessageInitShape<typeof NetworkServiceSchema> = {},
  watch = false,
): NetworkServiceQuery {
  return create(NetworkServiceQuerySchema, { networkService: like, watch });
}

/** What a watch has told, as it tells it. */
export function gather<A>(world: Pick<World, "scope">, answers: Watch<A>): A[] {
  const told: A[] = [];
  world.scope.spawn("gather", async (scope) => {
    for await (const answer of answers.within(scope)) told.push(answer);
  });
  return told;
}
