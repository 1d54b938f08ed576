/** Shared by the tests of connections: two hosts, an SDK's client in `alpha/web`, and endpoints of SDKs. */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { create } from "@bufbuild/protobuf";
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import { ConnectionSchema, type Connection } from "../src/api/gen/nsm/connection_pb.js";
import { NetworkServiceRequestSchema } from "../src/api/gen/nsm/networkservice_pb.js";
import { NetworkServiceEndpointSchema, NetworkServiceSchema } from "../src/api/gen/nsm/registry_pb.js";
import { serveConnections, stationsOver } from "../src/api/hops.ts";
import { serveAll } from "../src/api/rpc.ts";
import { labIdentity } from "../src/identity/lab-identity.ts";
import { endpoint } from "../src/roles/endpoint.ts";
import type { ConnectionRole } from "../src/roles/role.ts";
import { bare, Bed } from "./bed.ts";
import type { HostConfig } from "./host.ts";
import { Stranger, type StrangerOptions } from "./stranger.ts";

export const LAB = `
apiVersion: netloom.dev/v1alpha1
kind: Lab
metadata: { name: NAME }
spec:
  hosts:
    alpha: { workloads: [web, shop] }
    beta: { workloads: [db] }
  links:
    - { ends: [alpha, beta], subnets: [10.8.0.0/24] }
`;

/** URL of the registry of a test's mesh, Netloom's or upstream's. */
export const REGISTRY = "tcp://10.8.0.1:5002";

export const ADDRESSES = { alpha: "10.8.0.1", beta: "10.8.0.2" } as const;

export type HostName = keyof typeof ADDRESSES;

export function urlOf(host: HostName): string {
  return `tcp://${ADDRESSES[host]}:5001`;
}

/** Netloom's manager and forwarder, for `Bed.host`. */
export function agentOf(bed: Bed, host: HostName): Omit<HostConfig, "folder"> {
  const url = urlOf(host);
  return {
    host,
    address: ADDRESSES[host],
    agent: { listen: [bed.socket(host), url], url, registry: REGISTRY },
  };
}

/** Both hosts with Netloom's agents and registry. */
export async function ourMesh(t: TestContext): Promise<Bed> {
  const bed = await Bed.open(t, LAB);
  await bed.host({ ...agentOf(bed, "alpha"), registry: { listen: REGISTRY } });
  await bed.host(agentOf(bed, "beta"));
  return bed;
}

interface Offer {
  readonly place: string;
  readonly service: string;
  readonly name?: string;
  readonly prefix?: string;
  readonly files?: boolean;
  readonly labels?: Record<string, string>;
  readonly strict?: boolean;
}

/** Starts an upstream endpoint in `place` that offers `service` through the manager of its host. */
export async function offer(
  t: TestContext,
  bed: Bed,
  {
    place,
    service,
    name = `${service}-1`,
    prefix = "172.16.0.0/24",
    files = true,
    strict = false,
    labels = {},
  }: Offer,
): Promise<Stranger> {
  const host = place.split("/")[0] ?? "";
  const listen = bed.socket(name);
  const nse = await Stranger.start(t, {
    role: "endpoint",
    netns: bed.nameOf(place),
    name,
    listen,
    connect: bed.socket(host),
    ifname: "nse-1",
    prefix,
    files,
    strict,
  });
  const offered = create(NetworkServiceSchema, { name: service, payload: "ETHERNET" });
  await nse.ask("register-service", [NetworkServiceSchema, offered], NetworkServiceSchema);
  const own = create(NetworkServiceEndpointSchema, {
    name,
    url: listen,
    networkServiceNames: [service],
    networkServiceLabels: { [service]: { labels } },
  });
  const registered = await nse.ask(
    "register-endpoint",
    [NetworkServiceEndpointSchema, own],
    NetworkServiceEndpointSchema,
  );
  assert.equal(registered.url, listen, "who registers gets back its own URL");
  return nse;
}

/** Starts a Netloom endpoint in `place`, in the process of the test, with the routes that `routes` returns. */
export async function offerOurs(
  bed: Bed,
  { place, service, routes }: Pick<Offer, "place" | "service"> & { readonly routes: () => readonly string[] },
): Promise<ConnectionRole> {
  const name = `${service}-ours`;
  const world = await bed.world(name);
  const { services, endpoints } = stationsOver(
    world.hops.dial(bed.socket(place.split("/")[0] ?? "")),
    world.clock,
  );
  const role = endpoint({
    world,
    name,
    identity: labIdentity(world),
    place: { netns: bed.netnsOf(place) },
    interfaceName: () => "nse-1",
    addresses: { pools: [["172.16.0.0/24"]] },
    context: () => ({ srcRoutes: routes().map((prefix) => ({ prefix })) }),
  });
  await world.hops.serve(bed.socket(name), serveAll(serveConnections(role)));
  const call = { scope: world.scope, deadlineMs: world.clock.monotonicMs() + 10_000 };
  await services.request(call, create(NetworkServiceSchema, { name: service, payload: "ETHERNET" }));
  await endpoints.request(
    call,
    create(NetworkServiceEndpointSchema, { name, url: bed.socket(name), networkServiceNames: [service] }),
  );
  return role;
}

/** Starts an upstream client in `alpha/web`. */
export async function startClient(
  t: TestContext,
  bed: Bed,
  options: Pick<StrangerOptions, "heal" | "lifetime-ms" | "upstream-refresh"> = {},
): Promise<Stranger> {
  return await Stranger.start(t, {
    role: "client",
    netns: bed.nameOf("alpha/web"),
    name: "nsc-1",
    connect: bed.socket("alpha"),
    ...options,
  });
}

export async function ask(nsc: Stranger, service: string, id = `nsc-1-${service}`): Promise<Connection> {
  const request = create(NetworkServiceRequestSchema, { connection: { id, networkService: service } });
  return await nsc.ask("request", [NetworkServiceRequestSchema, request], ConnectionSchema);
}

/** Closes the connection, and checks that nothing of the mesh is left in any kernel. */
export async function close(bed: Bed, nsc: Stranger, connection: Connection): Promise<void> {
  await nsc.ask("close", [ConnectionSchema, connection], EmptySchema);
  await bed.assertEmpty("alpha", ["alpha/web", "alpha/shop"]);
  await bed.assertEmpty("beta", ["beta/db"]);
}

/** Names of the segments of the connection's path. */
export function namesOf({ path }: Connection): string[] {
  return (path?.pathSegments ?? []).map(({ name }) => name);
}

/** Asserts that packets get from the client to the endpoint in `far`, and back. */
export async function assertBothWays(bed: Bed, { context }: Connection, far: string): Promise<void> {
  const ip = context?.ipContext;
  await bed.assertReaches("alpha/web", bare(ip?.dstIpAddrs[0]));
  await bed.assertReaches(far, bare(ip?.srcIpAddrs[0]));
}
