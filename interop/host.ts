/**
 * One host of a test, as a process in the host's namespace: `host.ts '{"host":"alpha",…}'`. Roles of this project over
 * real sockets and the real kernel, until standard input ends.
 */
import { fileOf } from "../src/linux/libc/descriptor.ts";
import { OWN } from "../src/linux/machine/open-need.ts";
import { lineLog } from "../src/observe/log.ts";
import { nodeDisk } from "../src/transport/node-disk.ts";
import type { Kernel, Netns } from "../src/kernel/kernel.ts";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { NetworkServiceEndpointSchema, NetworkServiceSchema } from "../src/api/gen/nsm/registry_pb.js";
import { passthrough } from "../src/functions/passthrough/passthrough.ts";
import { serviceFunctionRole } from "../src/roles/service-function.ts";
import { LocalDirectory } from "../src/api/directory.ts";
import { connectionsOf, endpointsOf, serveConnections, servicesOf, stationsOver } from "../src/api/hops.ts";
import { serveAll } from "../src/api/rpc.ts";
import { IdentifierPools } from "../src/mechanisms/identifier-pool.ts";
import { TunnelWays } from "../src/forwarder/ways/tunnel-ways.ts";
import { Claims } from "../src/forwarder/claims/claims.ts";
import { WireMaker } from "../fixtures/forwarder/wire-maker.ts";
import { labIdentity } from "../src/identity/lab-identity.ts";
import { LinuxMachine } from "../src/linux/machine/machine.ts";
import { forwarder, type ForwarderOptions } from "../src/roles/forwarder.ts";
import { managerRegistry } from "../src/roles/manager-registry.ts";
import { manager } from "../src/roles/manager.ts";
import { openRegistry } from "../src/roles/registry.ts";
import { MemoryStore } from "../src/store/memory/memory-store.ts";
import { nodeWorld, type NodeWorld } from "../src/transport/node-world.ts";

export interface HostConfig {
  readonly host: string;
  /** A temporary folder of this host. */
  readonly folder: string;
  /** Address of its tunnels. */
  readonly address: string;
  readonly registry?: { readonly listen: string; readonly leaseMs?: number };
  /** Manager and forwarder in one process. */
  readonly agent?: {
    readonly listen: readonly string[];
    /** URL at which other hosts reach it. */
    readonly url: string;
    readonly registry: string;
  };
  /** A forwarder for another implementation's manager. */
  readonly forwarder?: { readonly listen: string; readonly manager: string };
  /** A service function for a workload, registered at another implementation's manager. */
  readonly middle?: {
    readonly listen: string;
    readonly manager: string;
    /** URL of the manager that the function asks for the next wire. */
    readonly asks: string;
    readonly netns: Netns;
    readonly pool: string;
    /** The network service, which the function registers. */
    readonly service: MessageInitShape<typeof NetworkServiceSchema> & { readonly name: string };
    readonly labels: Readonly<Record<string, string>>;
  };
}

const REFRESH_MS = 20_000;

async function serveRegistry(
  world: NodeWorld,
  { listen, leaseMs }: NonNullable<HostConfig["registry"]>,
): Promise<void> {
  await openRegistry({
    store: new MemoryStore(world),
    listen: [listen],
    world,
    name: "registry",
    identity: labIdentity(world),
    ...(leaseMs !== undefined && { leaseMs }),
  });
}

type Parts = Pick<
  ForwarderOptions,
  "world" | "kernel" | "identity" | "directory" | "wires" | "claims" | "tunnels"
>;

function partsOf(world: NodeWorld, kernel: Kernel, address: string): Parts {
  const claims = new Claims({ ...world, kernel });
  return {
    world,
    kernel,
    identity: labIdentity(world),
    directory: new LocalDirectory(world.hops, world.clock),
    wires: new WireMaker(kernel, { claims }),
    claims,
    tunnels: {
      addresses: [address],
      ways: new TunnelWays({ kernel }),
      identifiers: new IdentifierPools(world.random),
    },
  };
}

async function serveAgent(
  world: NodeWorld,
  parts: Parts & { readonly directory: LocalDirectory },
  { listen, url, registry: registryUrl }: NonNullable<HostConfig["agent"]>,
  folder: string,
): Promise<void> {
  const { host } = world;
  const view = await managerRegistry({
    ...parts,
    name: `manager-${host}`,
    url,
    hops: world.hops,
    disk: nodeDisk(folder),
    registry: world.hops.dial(registryUrl),
    labels: { nodeName: host },
  });
  const registries = { services: servicesOf(view.services), endpoints: endpointsOf(view.endpoints) };
  const role = forwarder({ ...parts, ...registries, name: `forwarder-${host}` });
  parts.directory.offer("self:forwarder", { connections: connectionsOf(role) });
  const own = create(NetworkServiceEndpointSchema, {
    name: `forwarder-${host}`,
    url: "self:forwarder",
    networkServiceNames: ["forwarder"],
    networkServiceLabels: { forwarder: { labels: { p2p: "true" } } },
  });
  const front = manager({
    ...parts,
    ...registries,
    name: `manager-${host}`,
    url,
    ownForwarders: [own],
    isRegistryCurrent: () => view.view().state === "fresh",
  });
  const handler = serveAll([...serveConnections(front), ...view.served]);
  for (const each of listen) await world.hops.serve(each, handler);
}

/** Registers the forwarder as upstream's do: as an endpoint of the network service `forwarder`. */
async function serveForwarder(
  world: NodeWorld,
  parts: Parts,
  { listen, manager: managerUrl }: NonNullable<HostConfig["forwarder"]>,
): Promise<void> {
  const { services, endpoints } = stationsOver(world.hops.dial(managerUrl), world.clock);
  const name = `forwarder-${world.host}`;
  const role = forwarder({ ...parts, services, endpoints, name });
  await world.hops.serve(listen, serveAll(serveConnections(role)));
  const register = async (): Promise<void> => {
    const own = create(NetworkServiceEndpointSchema, {
      name,
      url: listen,
      networkServiceNames: ["forwarder"],
      networkServiceLabels: { forwarder: { labels: { p2p: "true" } } },
    });
    await endpoints.request({ scope: world.scope, deadlineMs: world.clock.monotonicMs() + 5_000 }, own);
  };
  await register();
  world.scope.spawn("stay registered", async (scope) => {
    for (;;) {
      await world.clock.sleep(REFRESH_MS, scope);
      await register();
    }
  });
}

async function serveMiddle(
  world: NodeWorld,
  { listen, manager: managerUrl, asks, netns, pool, service, labels }: NonNullable<HostConfig["middle"]>,
): Promise<void> {
  const name = "firewall";
  const { services, endpoints } = stationsOver(world.hops.dial(managerUrl), world.clock);
  const role = serviceFunctionRole({
    world,
    name,
    identity: labIdentity(world),
    netns,
    workload: name,
    next: stationsOver(world.hops.dial(asks), world.clock).connections,
    addresses: { pools: [[pool]] },
    context: () => ({}),
    labels: () => labels,
    passage: () => passthrough.passage({}),
    answers: { answer: () => undefined, keepAnswer: () => undefined, dropAnswer: () => undefined },
    isAlive: () => Promise.resolve(false),
  });
  await world.hops.serve(listen, serveAll(serveConnections(role)));
  const call = { scope: world.scope, deadlineMs: world.clock.monotonicMs() + 10_000 };
  await services.request(call, create(NetworkServiceSchema, service));
  const own = create(NetworkServiceEndpointSchema, {
    name,
    url: listen,
    networkServiceNames: [service.name],
    networkServiceLabels: { [service.name]: { labels } },
  });
  await endpoints.request(call, own);
}

async function main(config: HostConfig): Promise<void> {
  const machine = await LinuxMachine.open();
  const kernel = await machine.kernel({ bpffs: `${config.folder}/bpf` });
  const world = nodeWorld({
    socketFile: (identity) => OWN.open({ type: "socket-file", identity }).then(fileOf),
    host: config.host,
    identity: labIdentity,
    log: lineLog((line) => console.error(`${config.host}: ${line}`)),
  });
  const parts = partsOf(world, kernel, config.address);
  const directory = new LocalDirectory(world.hops, world.clock);
  if (config.registry) await serveRegistry(world, config.registry);
  if (config.agent) await serveAgent(world, { ...parts, directory }, config.agent, config.folder);
  if (config.forwarder) await serveForwarder(world, parts, config.forwarder);
  if (config.middle) await serveMiddle(world, config.middle);
  console.log(JSON.stringify({ ready: true }));
  await new Promise<void>((resolve) => process.stdin.on("end", resolve).resume());
  await world.close();
  await kernel.close();
  await machine.close();
}

await main(JSON.parse(process.argv[2] ?? "{}") as HostConfig);
