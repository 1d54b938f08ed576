/**
 * The wires of this host: what its forwarder makes, and what an earlier life has left.
 *
 * Guarantees
 * - A namespace is on the disk before anything is made in it: the next life looks for wires there, and nowhere else. On a
 *   machine with many hosts (a lab) that keeps it away from the wires of others.
 * - Addresses and VNIs of wires that an earlier life has made stay theirs until somebody asks for the wire again, or it
 *   is swept.
 */
import { groupByOwner } from "../forwarder/owner.ts";
import type { Plan } from "../forwarder/plan.ts";
import type { Reconciler } from "../forwarder/reconcile.ts";
import type { Mechanism, Wire } from "../forwarder/wire.ts";
import { hash64 } from "../net/hash.ts";
import { type Log, NO_LOG } from "../observe/log.ts";
import { NetloomError } from "../world/errors.ts";
import type { Kernel, Netns } from "../world/kernel.ts";
import type { World } from "../world/world.ts";
import type { HostGuard } from "./host-guard.ts";
import { type Unclaimed, unclaimedOf } from "./unclaimed.ts";

/** Where they are kept. All that is in them is gone when the machine starts again. */
export const NAMESPACES_FILE = "namespaces";

/** A wire as the forwarder has made it. */
export interface MadeWire {
  readonly wire: Wire;
  readonly plan: Plan;
  /** On `Clock.wallMs`. */
  readonly sinceMs: number;
}

export class KeptWires {
  readonly #world: World;
  readonly #kernel: Kernel;
  readonly #reconciler: Reconciler;
  readonly #log: Log;
  readonly #hostGuard: HostGuard;
  readonly #onChange: () => void;
  readonly #made = new Map<string, MadeWire>();
  readonly #unclaimed = new Map<string, Unclaimed>();
  readonly #checks = new Map<string, (wire: Wire) => void>();
  readonly #namespaces = new Set<Netns>();
  /** The writes that will have put these on the disk. */
  readonly #underWay = new Map<Netns, Promise<void>>();
  /** Names to be written, and who waits for that. */
  #pending: { readonly names: Netns[]; readonly written: Promise<void> } | undefined;
  #tail: Promise<void> = Promise.resolve();

  constructor(options: {
    readonly world: World;
    readonly reconciler: Reconciler;
    readonly log?: Log;
    readonly hostGuard: HostGuard;
    /** A wire has come, changed or gone. */
    readonly onChange?: () => void;
  }) {
    this.#world = options.world;
    this.#kernel = options.world.kernel;
    this.#reconciler = options.reconciler;
    this.#log = options.log ?? NO_LOG;
    this.#hostGuard = options.hostGuard;
    this.#onChange = options.onChange ?? (() => undefined);
  }

  /** Takes over what an earlier life has left, and changes nothing. Call it before the first `apply`. */
  async adopt(): Promise<string[]> {
    const names = await this.#readNamespaces();
    const found = await this.#reconciler.adopt(names);
    const alive = await this.#alive(names);
    const groups = groupByOwner(
      await this.#kernel.observe([{ netns: "host" }, ...alive.map((netns) => ({ netns }))]),
    );
    for (const id of found) this.#unclaimed.set(id, unclaimedOf(groups.get(id) ?? []));
    for (const netns of alive) this.#namespaces.add(netns);
    await this.#shorten();
    return found;
  }

  /** Leaves out of the list what is gone. On a disk that is full it stays as it was: that keeps no agent from its work. */
  async #shorten(): Promise<void> {
    try {
      await this.#world.disk.replace(NAMESPACES_FILE, lines([...this.#namespaces]));
      await this.#world.disk.sync(NAMESPACES_FILE);
    } catch (error) {
      if (!(error instanceof NetloomError)) throw error;
    }
  }

  /** Wires by id, as they were applied last. */
  get made(): ReadonlyMap<string, MadeWire> {
    return this.#made;
  }

  /** The same, without how they were made. */
  *each(): Generator<Wire> {
    for (const { wire } of this.#made.values()) yield wire;
  }

  /** Ids of wires that an earlier life has made, and that nobody has asked for since. */
  get unclaimed(): readonly string[] {
    return [...this.#unclaimed.keys()];
  }

  /** The same, with what their devices tell. */
  get found(): ReadonlyMap<string, Unclaimed> {
    return this.#unclaimed;
  }

  /** A wire with this side will probably come: its namespace is put on the disk while others do their part. */
  expect(side: Mechanism): void {
    // If that fails, `apply` tries again, and says why.
    this.#note(side).catch(() => undefined);
  }

  /** What `check` throws of the wire `connectionId` is the answer to its request, until the result is called. */
  guard(connectionId: string, check: (wire: Wire) => void): () => void {
    this.#checks.set(connectionId, check);
    return () => {
      if (this.#checks.get(connectionId) === check) this.#checks.delete(connectionId);
    };
  }

  async apply(wire: Wire): Promise<Plan> {
    this.#checks.get(wire.connectionId)?.(wire);
    await this.#hostGuard.check(wire, this.each());
    await this.#note(wire.client, wire.endpoint);
    const plan = await this.#reconciler.apply(wire);
    const { connectionId } = wire;
    this.#unclaimed.delete(connectionId);
    const sinceMs = this.#made.get(connectionId)?.sinceMs ?? this.#world.clock.wallMs();
    this.#made.set(connectionId, { wire, plan, sinceMs });
    this.#onChange();
    return plan;
  }

  async remove(connectionId: string): Promise<void> {
    await this.#reconciler.remove(connectionId);
    this.#unclaimed.delete(connectionId);
    this.#hostGuard.forget(connectionId);
    if (this.#made.delete(connectionId)) this.#onChange();
  }

  /** Removes what an earlier life has left and nobody wants. Wires in `wanted` may still be asked for. */
  async sweep(wanted: ReadonlySet<string>): Promise<string[]> {
    const swept = await this.#reconciler.sweep((owner) => wanted.has(owner));
    for (const id of swept) this.#unclaimed.delete(id);
    if (swept.length > 0) this.#onChange();
    return swept;
  }

  /** The VNI that an earlier life has used for the wire. */
  recallVni(connectionId: string): number | undefined {
    return this.#unclaimed.get(connectionId)?.tunnel?.vni;
  }

  /** Puts the namespaces of both sides on the disk, those that are not there. */
  async #note(...sides: readonly Mechanism[]): Promise<void> {
    const fresh = sides.flatMap((side) =>
      side.type === "KERNEL" && !this.#namespaces.has(side.netns) ? [side.netns] : [],
    );
    await Promise.all(fresh.map((netns) => this.#underWay.get(netns) ?? this.#write(netns)));
  }

  #write(netns: Netns): Promise<void> {
    if (!this.#pending) {
      const names: Netns[] = [];
      // One write for all that come while the one before is under way.
      const written = this.#tail.then(async () => {
        this.#pending = undefined;
        try {
          await this.#world.disk.append(NAMESPACES_FILE, lines(names));
          await this.#world.disk.sync(NAMESPACES_FILE);
          for (const name of names) this.#namespaces.add(name);
        } finally {
          for (const name of names) this.#underWay.delete(name);
        }
      });
      this.#pending = { names, written };
      this.#tail = written.catch(() => undefined);
    }
    const { names, written } = this.#pending;
    names.push(netns);
    this.#underWay.set(netns, written);
    return written;
  }

  async #readNamespaces(): Promise<Netns[]> {
    const bytes = (await this.#world.disk.read(NAMESPACES_FILE)) ?? new Uint8Array();
    // The last line may have been cut off by a crash, and then nothing was made there.
    const written = new TextDecoder().decode(bytes).split("\n").slice(0, -1);
    const names = new Set<Netns>();
    let damaged = 0;
    for (const text of written) {
      if (text === "") continue;
      const name = text.slice(text.indexOf(" ") + 1);
      if (/^(file|inode):\/\//.test(name) && line(name as Netns) === `${text}\n`) names.add(name as Netns);
      else damaged += 1;
    }
    if (damaged > 0)
      this.#log.warn(
        "namespaces on the disk are damaged: wires in them are found when their workloads are asked for",
        {
          file: NAMESPACES_FILE,
          lines: damaged,
        },
      );
    return [...names];
  }

  async #alive(names: readonly Netns[]): Promise<Netns[]> {
    const alive: Netns[] = [];
    for (const netns of names) {
      try {
        await this.#kernel.resolve(netns);
        alive.push(netns);
      } catch (error) {
        if (!(error instanceof NetloomError) || error.code !== "NOT_FOUND") throw error;
      }
    }
    return alive;
  }
}

/** Each with a checksum. A line feed before them ends what a full disk has cut off. */
function lines(names: readonly Netns[]): Uint8Array {
  return new TextEncoder().encode(`\n${names.map(line).join("")}`);
}

function line(name: Netns): string {
  return `${hash64(name).toString(16).padStart(16, "0")} ${name}\n`;
}
