/**
 * A registry and two agents on the production World with simulated kernels, for tests of the commands that talk to them:
 *
 * ```
 *  registry ── alpha (web, api) ── beta (db)        sockets of the lab t…: /run/netloom/labs/t…/alpha/agent.sock
 * ```
 */
import assert from "node:assert/strict";
import type { Outcome } from "../spawn-netloom.ts";
import { nodeDisk } from "../../transport/node-disk.ts";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { labIdentity } from "../../identity/lab-identity.ts";
import { serveAll } from "../../api/rpc.ts";
import { agent, type AgentRole } from "../../roles/agent.ts";
import { dialRegistries } from "../../registry/dial-registries.ts";
import { registry } from "../../roles/registry.ts";
import { SimMachine } from "../../sim/kernel.ts";
import { MemoryStore } from "../../store/memory/memory-store.ts";
import { nodeClock } from "../../transport/node-clock.ts";
import { nodeWorld, type NodeWorld } from "../../transport/node-world.ts";
import { simProber } from "../../sim/prober-fixture.ts";

const hosts = {
  alpha: { address: "10.8.0.1", workloads: ["web", "api"] },
  beta: { address: "10.8.0.2", workloads: ["db"] },
} as const;
type HostName = keyof typeof hosts;

export const isRoot = process.getuid?.() === 0;

export class Agents {
  /** Of the lab that `--lab` finds; only root may make its folder. */
  readonly lab = `t${randomBytes(4).toString("hex")}`;
  readonly machine = new SimMachine({ clock: nodeClock() });
  readonly agents = new Map<HostName, AgentRole>();
  readonly #folder = mkdtempSync(join(tmpdir(), "nlt-"));
  readonly #worlds = new Map<string, NodeWorld>();

  static async start(): Promise<Agents> {
    const agents = new Agents();
    const registryUrl = `unix://${join(agents.#folder, "registry.sock")}`;
    const world = agents.#world("registry");
    const role = await registry({
      world,
      store: new MemoryStore(world),
      name: "registry",
      identity: labIdentity(world),
    });
    await world.hops.serve(registryUrl, serveAll(role.served));
    for (const host of ["alpha", "beta"] as const) await agents.#startAgent(host, registryUrl);
    return agents;
  }

  /** Of an agent's socket. */
  url(host: HostName): string {
    return `unix://${join(isRoot ? join("/run/netloom/labs", this.lab, host) : this.#folder, isRoot ? "agent.sock" : `${host}.sock`)}`;
  }

  /** A path in a folder that is removed at the end. */
  path(name: string): string {
    return join(this.#folder, name);
  }

  /** The agent goes away; its wires stay. */
  async stop(host: HostName): Promise<void> {
    await this.#worlds.get(host)?.close();
    this.#worlds.delete(host);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#worlds.values()].map((world) => world.close()));
    rmSync(this.#folder, { recursive: true });
    rmSync(join("/run/netloom/labs", this.lab), { recursive: true, force: true });
  }

  async #startAgent(host: HostName, registryUrl: string): Promise<void> {
    const { machine } = this;
    const { address, workloads } = hosts[host];
    const netns = machine.createNetns(`/run/netns/nl-${this.lab}-${host}`);
    machine.plantUplink({ netns, name: "eth0", addresses: [`${address}/24`], fabric: "underlay" });
    for (const workload of workloads) machine.createNetns(`/run/netns/nl-${this.lab}-${host}-${workload}`);
    if (isRoot) mkdirSync(join("/run/netloom/labs", this.lab, host), { recursive: true });
    const world = this.#world(host);
    const url = `tcp://127.0.0.1:${await freePort()}`;
    const role = await agent({
      world: {
        ...world,
        disk: nodeDisk(join(this.#folder, `state-${host}`)),
        kernel: machine.kernel({ host: netns }),
      },
      identity: labIdentity(world),
      url,
      listen: [this.url(host), url],
      registry: dialRegistries({ world, hops: world.hops, urls: [registryUrl] }),
      tunnelAddresses: [address],
      version: "0.1.0",
      prober: simProber(machine),
      processes: machine.processes,
    });
    this.agents.set(host, role);
  }

  #world(host: string): NodeWorld {
    const world = nodeWorld({
      host,
      identity: labIdentity,
    });
    this.#worlds.set(host, world);
    return world;
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** Reads what a command has printed as JSON, and fails if it has printed anything else. */
export async function json<T>(outcome: Promise<Outcome>): Promise<T> {
  const { stdout, stderr } = await outcome;
  assert.equal(stderr, "");
  return JSON.parse(stdout) as T;
}
