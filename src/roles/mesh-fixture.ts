/**
 * A mesh in one process: two hosts on a flat network, each with a manager and a forwarder, and a registry for both.
 *
 * ```
 *  alpha 10.8.0.1                         beta 10.8.0.2
 *    manager-alpha  forwarder-alpha         manager-beta  forwarder-beta
 *    workloads a, b                         workloads c, d
 * ```
 */
import assert from "node:assert/strict";
import { clone, create, type MessageInitShape } from "@bufbuild/protobuf";
import type { Connection } from "../api/gen/nsm/connection_pb.js";
import { type NetworkServiceRequest, NetworkServiceRequestSchema } from "../api/gen/nsm/networkservice_pb.js";
import {
  type NetworkService,
  type NetworkServiceEndpoint,
  NetworkServiceEndpointResponseSchema,
  NetworkServiceEndpointSchema,
  type NetworkServiceResponse,
  NetworkServiceResponseSchema,
  NetworkServiceSchema,
} from "../api/gen/nsm/registry_pb.js";
import {
  type Caller,
  type ConnectionHop,
  type ConnectionServer,
  connectionsOf,
  type Directory,
  type EndpointRegistryHop,
  type ServiceRegistryHop,
} from "../api/hops.ts";
import { SELF } from "../world/peer.ts";
import { IdentifierPools } from "../mechanisms/identifier-pool.ts";
import { Worlds } from "../elements/world-fixture.ts";
import { diff } from "../forwarder/diff.ts";
import { Claims } from "../forwarder/claims.ts";
import { WireMaker } from "../forwarder/wire-maker-fixture.ts";
import { labIdentity } from "../identity/lab-identity.ts";
import { matchesEndpointQuery, matchesServiceQuery } from "../registry/match.ts";
import { NetloomError } from "../errors/errors.ts";
import type { Kernel, Netns, Operation } from "../kernel/kernel.ts";
import { Watch, watchOf } from "../async/watch.ts";
import type { HostWorld } from "../world/world.ts";
import { client, type ClientNews, type ClientOptions } from "./client.ts";
import { endpoint, type EndpointOptions } from "./endpoint.ts";
import { forwarder, type ForwarderOptions } from "./forwarder.ts";
import { manager } from "./manager.ts";
import type { ConnectionRole } from "./role.ts";
import { peerNamed } from "../world/peer-fixture.ts";

interface Registered {
  readonly endpoint: NetworkServiceEndpoint;
  readonly host: MeshHost;
}

/** What a hop does before it hands a message on: delays and failures of tests. */
export type Weather = (verb: "request" | "close", url: string) => Promise<void> | void;

export class Mesh {
  readonly worlds: Worlds;
  readonly services: NetworkService[] = [];
  readonly registered: Registered[] = [];
  readonly #operationFails: OperationFails | undefined;
  readonly hosts: MeshHost[] = [];
  readonly alpha: MeshHost;
  readonly beta: MeshHost;
  weather: Weather = () => undefined;
  /** The same, when the answer is on its way back. */
  weatherBack: Weather = () => undefined;
  /** What the managers are told of that. */
  isRegistryCurrent = true;
  beforeRequest: (url: string, request: NetworkServiceRequest) => Promise<void> | void = () => undefined;

  constructor(options: { readonly seed?: string; readonly operationFails?: OperationFails } = {}) {
    this.worlds = new Worlds(options.seed);
    this.#operationFails = options.operationFails;
    this.alpha = this.newHost("alpha", "10.8.0.1");
    this.beta = this.newHost("beta", "10.8.0.2");
  }

  /** Another host. Its forwarder is not registered. */
  newHost(name: string, address: string): MeshHost {
    const host = new MeshHost(this, { name, address }, this.#operationFails);
    this.hosts.push(host);
    return host;
  }

  /** A service, or what it is from now on. */
  offer(service: MessageInitShape<typeof NetworkServiceSchema>): void {
    const offered = create(NetworkServiceSchema, { payload: "ETHERNET", ...service });
    const known = this.services.findIndex(({ name }) => name === offered.name);
    this.services.splice(known < 0 ? this.services.length : known, 1, offered);
    for (const watch of this.serviceWatches) watch.tell(offered);
  }

  /** Those that are open, of all hosts. */
  readonly serviceWatches = new Set<ServiceWatch>();

  async run(body: () => Promise<void>): Promise<void> {
    await this.worlds.run(body);
  }

  /** Asserts that nothing of us is in any kernel, and no VNI is taken. */
  async holdsNothing(): Promise<void> {
    for (const host of this.hosts) {
      assert.deepEqual(diff([], await host.objects()), [], `in the kernel of ${host.name}`);
      assert.equal(host.identifiers.size, 0, `identifiers of ${host.name}`);
      assert.deepEqual(host.manager.established(), []);
      assert.deepEqual(host.forwarder.established(), []);
    }
  }
}

export type OperationFails = (host: string, operation: Operation) => boolean;

export class MeshHost {
  readonly name: string;
  readonly address: string;
  readonly url: string;
  readonly world: HostWorld;
  readonly kernel: Kernel;
  readonly identifiers: IdentifierPools;
  readonly manager: ConnectionRole;
  readonly forwarder: ConnectionRole;
  readonly workloads: readonly [Netns, Netns];
  readonly #mesh: Mesh;
  readonly #own = new Map<string, ConnectionHop>();

  constructor(
    mesh: Mesh,
    { name, address }: { readonly name: string; readonly address: string },
    fails: OperationFails = () => false,
  ) {
    const { machine } = mesh.worlds;
    const netns = machine.createNetns(`/run/netns/${name}`);
    machine.plantUplink({ netns, name: "eth0", addresses: [`${address}/24`], fabric: "underlay" });
    this.workloads = [
      machine.createNetns(`/run/netns/${name}-1`),
      machine.createNetns(`/run/netns/${name}-2`),
    ];
    this.kernel = machine.kernel({
      host: netns,
      fault: (_n, operation) =>
        fails(name, operation) ? { when: "before", how: "error", errno: "ENOBUFS" } : undefined,
    });
    this.#mesh = mesh;
    this.name = name;
    this.address = address;
    this.url = `tcp://${address}:5001`;
    this.world = mesh.worlds.world(name, this.kernel);
    this.identifiers = new IdentifierPools(this.world.random);
    const registries = { services: this.#services(), endpoints: this.#endpoints() };
    const common = { world: this.world, identity: labIdentity(this.world), ...registries };
    this.forwarder = this.newForwarder(`forwarder-${name}`, common);
    this.offer("forwarder", this.forwarder);
    this.manager = manager({
      ...common,
      name: `manager-${name}`,
      directory: this.#directory(),
      url: this.url,
      isRegistryCurrent: () => mesh.isRegistryCurrent,
      ownForwarders: [
        create(NetworkServiceEndpointSchema, {
          name: `forwarder-${name}`,
          url: "self:forwarder",
          networkServiceLabels: { forwarder: { labels: { p2p: "true" } } },
        }),
      ],
    });
  }

  newForwarder(
    name: string,
    common: Pick<ForwarderOptions, "world" | "identity" | "services" | "endpoints">,
  ): ConnectionRole {
    const claims = new Claims(this.world);
    return forwarder({
      ...common,
      kernel: this.kernel,
      name,
      directory: this.#directory(),
      wires: new WireMaker(this.kernel, { claims }),
      claims,
      tunnels: { addresses: [this.address], underlayMtuBytes: 1500, identifiers: this.identifiers },
    });
  }

  /** Lets others of this host call `server` at `self:name`. */
  offer(name: string, server: ConnectionServer): void {
    this.#own.set(`self:${name}`, connectionsOf(server));
  }

  /** An endpoint of this host, registered. */
  newEndpoint(
    name: string,
    options: Partial<EndpointOptions> & {
      readonly service: string;
      readonly labels?: Record<string, string>;
    },
  ): ConnectionRole {
    const role = endpoint({
      world: this.world,
      name,
      identity: labIdentity(this.world),
      place: { netns: this.workloads[1] },
      addresses: { pools: [["172.16.0.0/24"]] },
      ...options,
    });
    this.offer(name, role);
    this.register(name, options.service, options.labels);
    return role;
  }

  register(name: string, service: string, labels: Record<string, string> = {}, url = `self:${name}`): void {
    this.#mesh.registered.push({
      host: this,
      endpoint: create(NetworkServiceEndpointSchema, {
        name,
        url,
        networkServiceNames: [service],
        networkServiceLabels: { [service]: { labels } },
      }),
    });
  }

  unregister(name: string): void {
    const index = this.#mesh.registered.findIndex((each) => each.endpoint.name === name);
    if (index >= 0) this.#mesh.registered.splice(index, 1);
    this.#own.delete(`self:${name}`);
  }

  newClient(
    name: string,
    options: Partial<ClientOptions> = {},
  ): { role: ConnectionRole; news: ClientNews[] } {
    const news: ClientNews[] = [];
    const role = client({
      world: this.world,
      name,
      identity: labIdentity(this.world),
      next: this.#throughWeather("manager", connectionsOf(this.manager)),
      onNews: (each) => news.push(each),
      ...options,
    });
    return { role, news };
  }

  caller(timeoutMs = 15_000): Caller {
    const { clock, scope } = this.world;
    return { scope, deadlineMs: clock.monotonicMs() + timeoutMs, peer: SELF };
  }

  /** A request of the workload `netns` for `service`. */
  ask(
    id: string,
    service: string,
    options: {
      readonly netns?: Netns;
      readonly name?: string;
      readonly labels?: Record<string, string>;
    } = {},
  ): NetworkServiceRequest {
    const inodeURL = options.netns ?? this.workloads[0];
    return create(NetworkServiceRequestSchema, {
      connection: { id, networkService: service, labels: options.labels ?? {} },
      mechanismPreferences: [
        { cls: "LOCAL", type: "KERNEL", parameters: { inodeURL, name: options.name ?? "nsm-1" } },
      ],
    });
  }

  async objects(): ReturnType<Kernel["observe"]> {
    return await this.kernel.observe([{ netns: "host" }, ...this.workloads.map((netns) => ({ netns }))]);
  }

  #directory(): Directory {
    const absent = (): never => {
      throw new TypeError("the test has no such registry");
    };
    const registry = { request: absent, close: absent, find: absent };
    return {
      connect: (url) => {
        const known = this.#hops.get(url) ?? this.#throughWeather(url, this.#lookUp(url));
        this.#hops.set(url, known);
        return { connections: known, services: registry, endpoints: registry };
      },
    };
  }

  readonly #hops = new Map<string, ConnectionHop>();

  /** Looks up at every call, so that a station may come and go. */
  #lookUp(url: string): ConnectionHop {
    const find = (): ConnectionHop => {
      if (url.startsWith("tcp:")) {
        const host = this.#mesh.hosts.find((each) => each.url === url);
        const peer = peerNamed(`tcp:${this.address}`, `${this.name}-${url}`);
        if (host) return connectionsOf(host.manager, peer);
      }
      const own = this.#own.get(url);
      if (own) return own;
      throw new NetloomError("UNAVAILABLE", `call ${url}: nobody serves there`);
    };
    return {
      request: async (call, request) => await find().request(call, request),
      close: async (call, connection) => await find().close(call, connection),
      monitor: (call, selector) => find().monitor(call, selector),
    };
  }

  #throughWeather(url: string, hop: ConnectionHop): ConnectionHop {
    return {
      request: async (call, request) => {
        await this.#mesh.weather("request", url);
        await this.#mesh.beforeRequest(url, request);
        const answer = await hop.request(call, request);
        await this.#mesh.weatherBack("request", url);
        return answer;
      },
      close: async (call, connection) => {
        await this.#mesh.weather("close", url);
        await hop.close(call, connection);
      },
      monitor: (call, selector) => hop.monitor(call, selector),
    };
  }

  #services(): ServiceRegistryHop {
    const refuse = (): never => {
      throw new TypeError("the test registers by hand");
    };
    return {
      request: refuse,
      close: refuse,
      find: (_call, { networkService: query, watch }) => {
        const found = this.#mesh.services.filter((each) => query && matchesServiceQuery(query, each));
        if (watch && query) return new ServiceWatch(this.#mesh.serviceWatches, query, found);
        return answersOf(
          found.map((networkService) => create(NetworkServiceResponseSchema, { networkService })),
        );
      },
    };
  }

  /** As a manager's registry shows them: what is registered at another host is behind that host's manager. */
  #endpoints(): EndpointRegistryHop {
    const refuse = (): never => {
      throw new TypeError("the test registers by hand");
    };
    return {
      request: refuse,
      close: refuse,
      find: (_call, { networkServiceEndpoint: query }) =>
        answersOf(
          this.#mesh.registered.flatMap(({ endpoint: each, host }) => {
            const shown = clone(NetworkServiceEndpointSchema, each);
            if (host !== this) shown.url = host.url;
            return query && matchesEndpointQuery(query, shown)
              ? [create(NetworkServiceEndpointResponseSchema, { networkServiceEndpoint: shown })]
              : [];
          }),
        ),
    };
  }
}

/** Stays open, and tells what changes. */
class ServiceWatch extends Watch<NetworkServiceResponse> {
  readonly #open: Set<ServiceWatch>;
  readonly #query: NetworkService;
  readonly #waiting: NetworkService[];
  #wake: () => void = () => undefined;

  constructor(open: Set<ServiceWatch>, query: NetworkService, found: readonly NetworkService[]) {
    super();
    this.#open = open.add(this);
    this.#query = query;
    this.#waiting = [...found];
  }

  tell(service: NetworkService): void {
    if (matchesServiceQuery(this.#query, service)) this.#waiting.push(service);
    this.#wake();
  }

  async take(): Promise<NetworkServiceResponse | undefined> {
    while (this.#open.has(this)) {
      const networkService = this.#waiting.shift();
      if (networkService) return create(NetworkServiceResponseSchema, { networkService });
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    return undefined;
  }

  close(): void {
    this.#open.delete(this);
    this.#wake();
  }
}

function answersOf<T>(answers: readonly T[]): Watch<T> {
  const left = [...answers];
  return watchOf({ take: () => Promise.resolve(left.shift()), close: () => void left.splice(0) });
}

/** `name` of every segment of a path. */
export function pathOf({ path }: Connection): string[] {
  return (path?.pathSegments ?? []).map(({ name }) => name);
}

/** The client's address, without its length. */
export function addressOf({ context }: Connection): string {
  return context?.ipContext?.srcIpAddrs[0]?.split("/")[0] ?? "";
}

export function farAddressOf({ context }: Connection): string {
  return context?.ipContext?.dstIpAddrs[0]?.split("/")[0] ?? "";
}

/** A client of alpha, and the endpoint `shop-1` on alpha or beta. */
export function shopMesh(where: "local" | "remote", options: ConstructorParameters<typeof Mesh>[0] = {}) {
  const mesh = new Mesh(options);
  const { alpha, beta } = mesh;
  mesh.offer({ name: "shop" });
  const shop = (where === "local" ? alpha : beta).newEndpoint("shop-1", { service: "shop" });
  return { mesh, alpha, beta, shop, ...alpha.newClient("client") };
}

export function failing(code: NetloomError["code"], message: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof NetloomError, String(error));
    assert.match(error.message, message);
    assert.equal(error.code, code, error.message);
    return true;
  };
}
