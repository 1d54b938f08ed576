/**
 * A registry and two agents on the simulator, with processes that crash and start again:
 *
 * ```
 *  registry 10.8.0.9 ── alpha 10.8.0.1 ── beta 10.8.0.2 ── gamma 10.8.0.3, where it is asked for
 *                         a1, a2            b1, b2            c1             /run/netns/nl-lab-alpha-a1, …
 * ```
 */
import { dialRegistries } from "../registry/dial-registries.ts";
import assert from "node:assert/strict";
import { drain } from "../../scripts/simulated-toy.ts";
import { DOCUMENTS } from "../documents/documents.ts";
import type { Wish } from "../agent/wish.ts";
import { diff } from "../forwarder/diff.ts";
import type { Identity } from "../identity/identity.ts";
import { PLAIN_CREDENTIALS } from "../identity/identities.ts";
import { labIdentity } from "../identity/lab-identity.ts";
import { formatProblem } from "../text/problem.ts";
import { SimMachine } from "../sim/kernel.ts";
import type { Fault } from "../sim/faults.ts";
import { Simulation } from "../sim/simulation.ts";
import { MemoryStore } from "../store/memory/memory-store.ts";
import type { Netns } from "../kernel/kernel.ts";
import type { Credentials } from "../world/credentials.ts";
import type { HostWorld } from "../world/world.ts";
import type { Log } from "../observe/log.ts";
import { agent, type AgentRole } from "./agent.ts";
import { type Registry, registry } from "./registry.ts";
import { serveAll } from "../api/rpc.ts";
import { simProber } from "../sim/prober-fixture.ts";

/** Offers the service `db` from a workload of beta. */
export const DB: string = `
kind: Expose
name: db
workload: { lab: lab/beta/b1 }
services: [db]
pools: [10.0.2.0/24]
`;

/** Asks for the service `db` from a workload of alpha. */
export const WEB: string = `
kind: Connect
name: web-db
workload: { lab: lab/alpha/a1 }
service: db
interface: to-db
`;

export const REGISTRY_URL = "tcp://10.8.0.9:5002";

export type HostName = "alpha" | "beta" | "gamma";

const HOSTS: Readonly<Record<HostName, { readonly address: string; readonly workloads: readonly string[] }>> =
  {
    alpha: { address: "10.8.0.1", workloads: ["a1", "a2"] },
    beta: { address: "10.8.0.2", workloads: ["b1", "b2"] },
    gamma: { address: "10.8.0.3", workloads: ["c1"] },
  };

export class AgentMesh {
  readonly simulation: Simulation;
  readonly machine: SimMachine;
  readonly agents = new Map<HostName, AgentRole>();
  registry: Registry | undefined;
  readonly lines: string[] = [];
  /** Do packets get from one host to the other? */
  isUnderlayCut = false;
  readonly #hosts: readonly HostName[];

  constructor(
    options: {
      /** Default: alpha and beta. */
      readonly hosts?: readonly HostName[];
      readonly seed?: string;
      readonly sweepAfterMs?: number;
      /** Of the registry. */
      readonly leaseMs?: number;
      readonly allowHostWorkload?: boolean;
      readonly faults?: readonly Fault[];
      /** Runs beside every agent, in its process. */
      readonly beside?: (role: AgentRole) => Promise<void>;
      /** An agent does not start. Default: the test fails. */
      readonly onRefusal?: (error: unknown) => void;
      /** Default: a bug that is said ends the process, and the test. */
      readonly log?: Log;
      /** What a host proves itself with. Default: nothing is proven. */
      readonly credentials?: (host: string) => Credentials;
      /** Of the registry and the agents. */
      readonly identity?: (world: HostWorld) => Identity;
      /** What the agents see of their World. */
      readonly wrap?: (world: HostWorld) => HostWorld;
    } = {},
  ) {
    const { identity = (world: HostWorld) => labIdentity(world) } = options;
    this.#hosts = options.hosts ?? ["alpha", "beta"];
    const machines: SimMachine[] = [];
    this.simulation = new Simulation({
      seed: options.seed ?? "1",
      faults: options.faults ?? [],
      drain,
      limitMs: 1e8,
      hosts: ["registry", ...this.#hosts],
      credentials: options.credentials ?? (() => PLAIN_CREDENTIALS),
      store: (clock, scope) => new MemoryStore({ clock, scope }),
      kernel: ({ host, clock }) => {
        const machine = (machines[0] ??= new SimMachine({ clock }));
        return machine.kernel({ host: machine.createNetns(`/run/netns/nl-lab-${host}`) });
      },
    });
    const [machine] = machines;
    assert.ok(machine);
    this.machine = machine;
    this.simulation.start("registry", async (world) => {
      const { leaseMs } = options;
      const role = await registry({
        store: world.store,
        world,
        name: "registry",
        identity: identity(world),
        ...(leaseMs !== undefined && { leaseMs }),
      });
      this.registry = role;
      await world.hops.serve(REGISTRY_URL, serveAll(role.served));
    });
    for (const host of this.#hosts) {
      const { address, workloads } = HOSTS[host];
      const netns: Netns = `file:///run/netns/nl-lab-${host}`;
      machine.plantUplink({ netns, name: "eth0", addresses: [`${address}/24`], fabric: "underlay" });
      for (const workload of workloads) this.createWorkload(host, workload);
      this.simulation.start(host, async (given) => {
        const own = options.log ? { ...given, log: options.log } : given;
        const world = options.wrap?.(own) ?? own;
        const starting = agent({
          world,
          identity: identity(world),
          url: `tcp://${address}:5001`,
          listen: [`unix:///run/${host}.sock`, `tcp://${address}:5001`],
          registry: dialRegistries({ world, hops: world.hops, urls: [REGISTRY_URL] }),
          tunnelAddresses: [address],
          prober: simProber(machine, () => this.isUnderlayCut),
          processes: machine.processes,
          ...(options.allowHostWorkload !== undefined && { allowHostWorkload: options.allowHostWorkload }),
          ...(options.sweepAfterMs !== undefined && { sweepAfterMs: options.sweepAfterMs }),
        });
        const { onRefusal } = options;
        const role = await (onRefusal ? starting.catch(onRefusal) : starting);
        if (!role) return;
        await options.beside?.(role);
        this.agents.set(host, role);
      });
    }
  }

  /** Runs `body` in virtual time. */
  async run(body: () => Promise<void>): Promise<void> {
    await this.simulation.run(body());
  }

  agent(host: HostName): AgentRole {
    const role = this.agents.get(host);
    assert.ok(role, `${host} has not started yet`);
    return role;
  }

  sleep(durationMs: number): Promise<void> {
    return this.simulation.clock.sleep(durationMs);
  }

  createWorkload(host: HostName, workload: string): Netns {
    return this.machine.createNetns(`/run/netns/nl-lab-${host}-${workload}`);
  }

  removeWorkload(host: HostName, workload: string): void {
    this.machine.removeNetns(`/run/netns/nl-lab-${host}-${workload}`);
  }

  netnsOf(host: HostName, workload: string): Netns {
    return `file:///run/netns/nl-lab-${host}-${workload}`;
  }

  /** Applies documents, and waits until all of them are up. */
  async apply(host: HostName, text: string): Promise<void> {
    const { agent: applying } = this.agent(host);
    const applied = await applying.apply(read(text));
    for (let i = 0; i < 200; i++) {
      const waiting = applied.filter(({ ref }) => applying.find(ref)?.view.state !== "up");
      if (waiting.length === 0) return;
      await this.sleep(100);
    }
    const views = applied.map(({ ref }) => `${ref.name}: ${JSON.stringify(applying.find(ref)?.view)}`);
    assert.fail(`not up after 20 s: ${views.join("\n")}`);
  }

  /** The process dies and comes again, `downMs` later. */
  async restart(host: HostName | "registry", downMs = 100): Promise<void> {
    this.simulation.crash(host);
    await this.sleep(downMs);
    this.simulation.restart(host);
    await this.sleep(3_000);
  }

  /** The client's and the endpoint's address of the one wire of a Connect. */
  addresses(host: HostName, name: string): { readonly own: string; readonly far: string } {
    const role = this.agent(host);
    const id = role.agent.find({ kind: "Connect", name })?.connectionId ?? "";
    const { wire } = role.wires.made.get(id) ?? assert.fail(`Connect ${name} of ${host} has no wire`);
    const bare = (text = ""): string => text.split("/")[0] ?? "";
    return { own: bare(wire.context.srcIpAddrs?.[0]), far: bare(wire.context.dstIpAddrs?.[0]) };
  }

  /** Asserts that packets get from one workload to the other and back. */
  reaches(from: readonly [HostName, string], to: readonly [HostName, string], name: string): void {
    const { own, far } = this.addresses(from[0], name);
    const [here, there] = [this.netnsOf(...from), this.netnsOf(...to)];
    assert.equal(this.machine.reaches(here, far)?.netns, there, `${far} from ${from.join("/")}`);
    assert.equal(this.machine.reaches(there, own)?.netns, here, `${own} from ${to.join("/")}`);
  }

  /** Asserts that nothing of us is in any kernel. */
  async holdsNothing(): Promise<void> {
    for (const host of this.#hosts) {
      const queries = ["host" as const, ...HOSTS[host].workloads.map((each) => this.netnsOf(host, each))];
      const objects = await this.simulation.kernel(host).observe(queries.map((netns) => ({ netns })));
      assert.deepEqual(diff([], objects), [], `in the kernel of ${host}`);
    }
  }
}

export function read(text: string): readonly Wish[] {
  const result = DOCUMENTS.parse(text, "test.yaml");
  if (!result.ok) assert.fail(result.problems.map(formatProblem).join("\n"));
  return result.wishes;
}
