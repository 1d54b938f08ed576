/**
 * A mesh of real processes on the ground of bed.ts: a registry and the agent of `alpha`, and on demand the agent of `beta`.
 *
 * ```
 *   bench ──unix socket──> [agent alpha] 10.8.0.1:5001 ───underlay─── 10.8.0.2:5001 [agent beta]
 *                          [registry]    10.8.0.1:5002
 * ```
 */
import { providerDocument } from "../fixtures/documents/documents.ts";
import { create } from "@bufbuild/protobuf";
import { execFile } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { promisify } from "node:util";
import {
  ConnectionSchema,
  MechanismSchema,
  PathSchema,
  type Connection,
} from "../src/api/gen/nsm/connection_pb.js";
import { NetworkServiceRequestSchema } from "../src/api/gen/nsm/networkservice_pb.js";
import { stationsOver } from "../src/api/hops.ts";
import { rootScope } from "../src/async/task-scope.ts";
import { preferenceFor } from "../src/mechanisms/list.ts";
import { GrpcHops } from "../src/transport/grpc-hops.ts";
import { nodeClock } from "../src/transport/node-clock.ts";
import type { Netns } from "../src/kernel/kernel.ts";
import { bpffsOf, folderOf, type Ground, onGround, pathOf } from "./bed.ts";
import { Daemon, NETLOOM } from "./daemon.ts";
import { LAB_WORDS, PLAIN_CREDENTIALS } from "../src/identity/identities.ts";

const ADDRESSES = { alpha: "10.8.0.1", beta: "10.8.0.2" } as const;
const REGISTRY = `tcp://${ADDRESSES.alpha}:5002`;
const REQUEST_MS = 15_000;

export type HostName = keyof typeof ADDRESSES;

/** Calls the agent of `alpha` as any client of this host does: gRPC over the unix socket. */
export interface Client {
  /** Opens the connection; otherwise the first request does. */
  connect(): Promise<void>;
  /** Requests a wire from `netns`. Its id has to be new. */
  request(options: {
    readonly id: string;
    readonly service: string;
    readonly netns: Netns;
  }): Promise<Connection>;
  close(connection: Connection): Promise<void>;
}

export class Mesh {
  readonly ground: Ground;
  readonly #daemons: Daemon[];
  readonly #directory: string;

  private constructor(ground: Ground, daemons: Daemon[], directory: string) {
    this.ground = ground;
    this.#daemons = daemons;
    this.#directory = directory;
  }

  /**
   * Makes ground and mesh, runs `bench`, and removes everything, as `onGround` does. On failure prints the daemons' last log
   * lines.
   */
  static async use(hosts: readonly HostName[], bench: (mesh: Mesh) => Promise<void>): Promise<void> {
    await onGround(async (ground) => {
      const directory = folderOf("mesh");
      mkdirSync(directory, { recursive: true });
      const daemons: Daemon[] = [];
      try {
        daemons.push(await Daemon.start("alpha", ["registry", ...LAB_WORDS, "--listen", REGISTRY]));
        for (const host of hosts) daemons.push(await Daemon.start(host, agentArguments(directory, host)));
        await bench(new Mesh(ground, daemons, directory));
      } catch (error) {
        for (const { name, said } of daemons) console.error(`${name}:\n  ${said.join("\n  ")}`);
        throw error;
      } finally {
        await Promise.all(daemons.map((daemon) => daemon.stop()));
      }
    });
  }

  get daemons(): readonly Daemon[] {
    return this.#daemons;
  }

  /** `kill -9` of the agent of `host`; `meanwhile` runs before the next agent starts. */
  async killAgent(host: HostName, meanwhile: () => Promise<void>): Promise<void> {
    const at = this.#daemons.findIndex(({ name }) => name === `agent in ${host}`);
    await this.#daemons[at]?.kill();
    await meanwhile();
    this.#daemons[at] = await Daemon.start(host, agentArguments(this.#directory, host));
  }

  /** Runs `netloom …args` for the agent of `host`, and returns what it prints. */
  async netloom(host: HostName, ...args: readonly string[]): Promise<string> {
    const { stdout } = await promisify(execFile)(
      NETLOOM,
      [...args, "--agent", socketOf(this.#directory, host)],
      {
        maxBuffer: 2 ** 26,
      },
    );
    return stdout;
  }

  /** Applies YAML documents at `host`, and waits until all of them are up. */
  async apply(host: HostName, documents: readonly object[]): Promise<void> {
    const file = `${this.#directory}/${host}.yaml`;
    // JSON is YAML.
    writeFileSync(file, documents.map((each) => `---\n${JSON.stringify(each)}\n`).join(""));
    await this.netloom(host, "apply", "-f", file, "--wait", "60");
  }

  /** Runs `work` with a client on a connection of its own. */
  async client<T>(work: (client: Client) => Promise<T>): Promise<T> {
    const clock = nodeClock();
    const scope = rootScope("bench", clock);
    const hops = new GrpcHops({ clock, scope, credentials: () => PLAIN_CREDENTIALS, log: () => undefined });
    const hop = hops.dial(socketOf(this.#directory, "alpha"));
    const { connections } = stationsOver(hop, clock);
    const call = () => ({ scope, deadlineMs: clock.monotonicMs() + REQUEST_MS });
    try {
      return await work({
        connect: async () => {
          const health = { bytes: new Uint8Array(), metadata: {} };
          await hop.call("/grpc.health.v1.Health/Check", health, { timeoutMs: REQUEST_MS });
        },
        request: (options) => connections.request(call(), requestOf(options)),
        close: (connection) => connections.close(call(), connection),
      });
    } finally {
      await scope.end();
      await hops.close();
    }
  }

  /** Memory of all daemons, in MB. */
  memoryMb(): number {
    return this.daemons.reduce((sum, daemon) => sum + daemon.memory().pssMb, 0);
  }

  /** `memory: PSS of registry in alpha 48 MB (its own: 21), …` */
  memoryNote(): string {
    const each = this.daemons.map((daemon) => {
      const { pssMb, ownMb } = daemon.memory();
      return `${daemon.name} ${pssMb.toFixed(0)} MB (its own: ${ownMb.toFixed(0)})`;
    });
    return `memory: PSS of ${each.join(", ")}`;
  }
}

/** A provider of `service` in a namespace of the ground. */
export function exposeOf(netns: string, service: string, pool: string): object {
  return providerDocument(netns, {
    workload: { netns: pathOf(netns) },
    services: [service],
    pools: [pool],
  });
}

/** The client's and the endpoint's address. */
export function addressesIn({ context }: Connection): { readonly client: string; readonly endpoint: string } {
  const [client, endpoint] = [context?.ipContext?.srcIpAddrs[0], context?.ipContext?.dstIpAddrs[0]];
  if (client === undefined || endpoint === undefined) throw new Error("a wire without addresses");
  return { client: client.replace(/\/.*/, ""), endpoint: endpoint.replace(/\/.*/, "") };
}

function requestOf({ id, service, netns }: Parameters<Client["request"]>[0]) {
  const mechanism = create(MechanismSchema, preferenceFor({ netns }, { name: "" }));
  const connection = create(ConnectionSchema, {
    id,
    networkService: service,
    path: create(PathSchema, { pathSegments: [{ name: "bench", id }] }),
  });
  return create(NetworkServiceRequestSchema, { connection, mechanismPreferences: [mechanism] });
}

function agentArguments(directory: string, host: HostName): string[] {
  const address = ADDRESSES[host];
  const options = {
    name: host,
    registry: REGISTRY,
    "tunnel-ip": address,
    listen: `${socketOf(directory, host)},tcp://${address}:5001`,
    "state-dir": `${directory}/${host}`,
    bpffs: bpffsOf(`${host}-agent`),
  };
  return ["agent", ...LAB_WORDS, ...Object.entries(options).flatMap(([name, value]) => [`--${name}`, value])];
}

function socketOf(directory: string, host: HostName): string {
  return `unix://${directory}/${host}.sock`;
}
