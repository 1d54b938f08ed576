/** Hosts for a test, with processes of Netloom and of upstream in them; all are gone after the test. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { namespaceName } from "../src/resolvers/lab/places.ts";
import { diff } from "../src/forwarder/reconcile/diff.ts";
import { labFixture } from "../fixtures/lab/lab.ts";
import { ping } from "../src/linux/icmp/icmp.ts";
import type { LinuxMachine } from "../src/linux/machine/machine.ts";
import { nodeWorld, type NodeWorld } from "../src/transport/node-world.ts";
import type { Netns } from "../src/kernel/kernel.ts";
import type { HostConfig } from "./host.ts";
import { Program } from "./program.ts";
import { labIdentity } from "../src/identity/lab-identity.ts";

const HOST = fileURLToPath(new URL("./host.ts", import.meta.url));

export class Bed {
  readonly #t: TestContext;
  readonly #machine: LinuxMachine;
  readonly #lab: string;
  readonly folder: string;
  #hosts = 0;

  private constructor(t: TestContext, machine: LinuxMachine, lab: string) {
    this.#t = t;
    this.#machine = machine;
    this.#lab = lab;
    this.folder = mkdtempSync(join(tmpdir(), "netloom-interop-"));
  }

  /** Opens a lab from this text, in which NAME stands for its name. */
  static async open(t: TestContext, text: string): Promise<Bed> {
    const lab = await labFixture(t);
    const bed = new Bed(t, lab.machine, lab.name);
    // Runs after the processes have ended.
    t.after(() => rmSync(bed.folder, { recursive: true, force: true }));
    await lab.up(text);
    return bed;
  }

  /** The name of `alpha` or `alpha/web` for `ip netns`. */
  nameOf(place: string): string {
    return namespaceName(this.#lab, place);
  }

  netnsOf(place: string): Netns {
    return `file:///run/netns/${this.nameOf(place)}`;
  }

  /** URL of a socket in the folder of the test. */
  socket(name: string): `unix://${string}` {
    return `unix://${this.folder}/${name}.sock`;
  }

  /** Starts roles of Netloom in the namespace of `config.host`; resolves when they serve. */
  async host(config: Omit<HostConfig, "folder">): Promise<Program> {
    const folder = mkdtempSync(join(this.folder, `${config.host}-${++this.#hosts}-`));
    return await startHost(this.#t, { ...config, folder }, this.nameOf(config.host));
  }

  /** A World for a role of Netloom in the process of the test. */
  async world(host: string): Promise<NodeWorld> {
    const kernel = await this.#machine.kernel({ bpffs: `${this.folder}/bpf-${host}` });
    const world = nodeWorld({
      host,
      identity: labIdentity,
    });
    this.#t.after(async () => {
      await world.close();
      await kernel.close();
    });
    return world;
  }

  async assertReaches(place: string, address: string): Promise<void> {
    const answer = await ping(this.#machine, { netns: this.netnsOf(place), address: bare(address) });
    assert.notEqual(answer.rttMs, undefined, `${place} gets no answer from ${address}: ${answer.errno}`);
  }

  /** Waits until nothing of the mesh is in the kernel of these places. */
  async assertEmpty(host: string, workloads: readonly string[]): Promise<void> {
    const kernel = await this.#machine.kernel({ host: this.netnsOf(host), bpffs: `${this.folder}/bpf` });
    try {
      const places: Netns[] = ["host", ...workloads.map((each) => this.netnsOf(each))];
      const found = await kernel.observe(places.map((netns) => ({ netns })));
      assert.deepEqual(diff([], found), [], `left behind on ${host}`);
    } finally {
      await kernel.close();
    }
  }
}

/** Starts a host without a lab, in `netns`. */
export async function startHost(t: TestContext, config: HostConfig, netns?: string): Promise<Program> {
  let onReady = (): void => undefined;
  const ready = new Promise<true>((resolve) => (onReady = () => resolve(true)));
  const program = new Program(t, {
    name: config.host,
    netns,
    argv: [process.execPath, HOST, JSON.stringify(config)],
    onLine: () => onReady(),
  });
  const isReady = await Promise.race([ready, program.ended]);
  assert.equal(isReady, true, `${config.host} ended before it served`);
  return program;
}

/** An address without its prefix length. */
export function bare(address: string | undefined): string {
  return address?.split("/")[0] ?? "";
}
