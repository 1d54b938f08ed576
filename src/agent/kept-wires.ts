/**
 * The wires of this host: those that its forwarder makes, and those of an earlier agent.
 *
 * Guarantees
 * - A namespace is on the disk before anything is made in it. After a restart the agent looks for wires in those
 *   namespaces only. On a machine with many hosts (a lab) that protects the wires of other hosts.
 * - An unclaimed wire keeps its addresses and tunnels until a client requests the wire again, or it is swept.
 */
import type { Span } from "../observe/trace.ts";
import type { Disk } from "../world/disk.ts";
import { replaceDevices } from "../forwarder/plan/former-devices.ts";
import { replace } from "./between-releases.ts";
import { isBarePair } from "../forwarder/plan/plan.ts";
import { planWire } from "../forwarder/plan/plan-wire.ts";
import type { Reconciler } from "../forwarder/reconcile/reconcile.ts";
import type { Wire } from "../forwarder/wire.ts";
import { deviceOf, type Mechanism } from "../mechanisms/list.ts";
import type { Side } from "../mechanisms/side.ts";
import { quote } from "../text/problem.ts";
import { NetloomError } from "../errors/errors.ts";
import { reason } from "../errors/reasons.ts";
import type { Kernel, LinkEnd, Netns } from "../kernel/kernel.ts";
import { sideOfAlias } from "../mechanisms/naming.ts";
import type { World } from "../world/world.ts";
import type { Drift } from "./drift/follow-wires.ts";
import type { Mended } from "./drift/mends.ts";
import type { HostGuard } from "./host-guard.ts";
import { NameFile } from "./name-file.ts";
import { BOTH_ENDS_UP, NOT_PROVEN, type Reachability } from "../attachments/reachability.ts";
import type { Ref } from "../attachments/spec.ts";
import { isHollow, type Unclaimed, unclaimedOf } from "./unclaimed.ts";

/** Name of the file with the namespaces. Their wires disappear when the machine reboots. */
export const NAMESPACES_FILE = "namespaces";

/** A wire that the forwarder has made. */
export interface MadeWire {
  readonly wire: Wire;
  /** Time when the wire was first made, on `Clock.wallMs`. */
  readonly sinceMs: number;
}

export class KeptWires {
  readonly #world: World;
  readonly #kernel: Kernel;
  readonly #reconciler: Reconciler;
  readonly #hostGuard: HostGuard;
  readonly #drift: Drift;
  readonly #onChange: () => void;
  readonly #made = new Map<string, MadeWire>();
  readonly #unclaimed = new Map<string, Unclaimed>();
  readonly #checks = new Map<string, (wire: Wire) => void>();
  readonly #readers = new Map<string, (reachability: Reachability | undefined) => void>();
  readonly #namespaces: NameFile;
  /** Ids of the wires that are being applied. */
  readonly #applying = new Set<string>();
  /** Namespaces that were searched for wires of an earlier agent. */
  readonly #known = new Set<Netns>();

  constructor(options: {
    readonly world: World;
    readonly kernel: Kernel;
    readonly disk: Disk;
    readonly reconciler: Reconciler;
    readonly hostGuard: HostGuard;
    /** The changes of wires by others. */
    readonly drift: Drift;
    /** Called after a wire was made, changed or removed. */
    readonly onChange?: () => void;
  }) {
    this.#world = options.world;
    this.#kernel = options.kernel;
    this.#namespaces = new NameFile(options.disk, NAMESPACES_FILE, options.world.log);
    this.#reconciler = options.reconciler;
    this.#hostGuard = options.hostGuard;
    this.#drift = options.drift;
    this.#onChange = options.onChange ?? (() => undefined);
    options.drift.doubts.listen((id) => {
      this.#tellReachability(id);
      if (this.#made.has(id)) this.#onChange();
    });
  }

  /**
   * Takes over the wires of an earlier agent. A wire whose workload exists is not changed; the rest of a wire whose workload
   * has died is removed. Call it before the first `apply`. Returns the ids of the adopted wires.
   */
  async adopt(): Promise<string[]> {
    const written = await this.#namespaces.read(
      "wires of those namespaces are found when their workloads are requested again",
    );
    const names = written.filter((name): name is Netns => /^(file|inode):\/\//.test(name));
    await this.#replaceDevices();
    const found = await this.#reconciler.adopt(["host", ...names]);
    const alive = await this.#alive(names);
    for (const netns of alive) this.#known.add(netns);
    for (const [id, objects] of found) this.#unclaimed.set(id, unclaimedOf(objects));
    for (const [id, objects] of found) if (isHollow(objects)) await this.bury(id);
    await this.#namespaces.replace(alive);
    return [...found.keys()].filter((id) => this.#unclaimed.has(id));
  }

  /** Removes an unclaimed wire whose workload has died. */
  async bury(id: string): Promise<void> {
    if (!this.#unclaimed.has(id) || this.#applying.has(id)) return;
    try {
      await this.remove(id);
      this.#world.log.info("closed a wire from before the restart: its workload has died", { wire: id });
    } catch (error) {
      if (!(error instanceof NetloomError)) throw error;
      this.#world.log.warn("the rest of a wire whose workload has died cannot be removed", {
        error: error.message,
      });
    }
  }

  /** Whether an unclaimed wire has lost a side, which happens when its workload dies. */
  async isHollow(id: string): Promise<boolean> {
    return this.#unclaimed.has(id) && isHollow(await this.#reconciler.look(id));
  }

  /**
   * Looks for wires of an earlier agent in a namespace that the list on the disk does not have, because the state folder is
   * new or damaged. A wire to this host's namespace or to another workload belongs to this host: the host that serves one
   * end of a local wire serves both. A half that leads to another host's namespace belongs to that host.
   */
  async look(netns: Netns): Promise<void> {
    if (this.#known.has(netns) || this.#namespaces.has(netns)) return;
    this.#known.add(netns);
    const host = await this.#kernel.resolve("host");
    const isOwn = (end: LinkEnd): boolean =>
      end.netns === "host" || end.netns === host.netns || sideOfAlias(end.alias) !== undefined;
    const found = await this.#reconciler.adoptIn(netns, isOwn);
    for (const [id, objects] of found) this.#unclaimed.set(id, unclaimedOf(objects));
    if (found.size > 0) this.#onChange();
  }

  /**
   * Removes an unclaimed wire that has the device `name` in `netns`, unless it is the wire `connectionId` itself.
   * ALREADY_EXISTS if another attachment will request that wire.
   */
  async makeWay(
    netns: Netns,
    name: string,
    {
      connectionId,
      wantedBy,
    }: { readonly connectionId: string; readonly wantedBy: (id: string) => Ref | undefined },
  ): Promise<void> {
    for (const [id, { ends }] of this.#unclaimed) {
      const isThere = [ends.client, ends.endpoint].some(
        (end) => end?.netns === netns && end.interfaceName === name,
      );
      if (!isThere || id === connectionId || this.#applying.has(id)) continue;
      const other = wantedBy(id);
      if (other)
        throw new NetloomError(
          "ALREADY_EXISTS",
          `make wire ${connectionId}: another ${other.kind} of the workload has the interface ${quote(name)}`,
          { side: "client", reason: reason("INTERFACE_TAKEN", { interface: name }) },
        );
      this.#world.log.info("a wire from before the restart gives its interface to another wire", {
        wire: id,
        interface: name,
      });
      await this.remove(id);
    }
  }

  /** The wires by id, in their last applied form. */
  get made(): ReadonlyMap<string, MadeWire> {
    return this.#made;
  }

  /** The number of repairs of wires that others had changed. */
  get timesMended(): number {
    return this.#drift.mends.total;
  }

  /** The repairs of a wire; `undefined` if there were none. */
  mended(connectionId: string): Mended | undefined {
    return this.#drift.mends.of(connectionId);
  }

  /** The wires that were made, without their times. */
  *each(): Generator<Wire> {
    for (const { wire } of this.#made.values()) yield wire;
  }

  /** Ids of the unclaimed wires. */
  get unclaimed(): readonly string[] {
    return [...this.#unclaimed.keys()];
  }

  /** The unclaimed wires by id, described by their devices. */
  get found(): ReadonlyMap<string, Unclaimed> {
    return this.#unclaimed;
  }

  /** Puts the namespace of a wire that will probably be made on the disk, while other hosts work on the request. */
  expect(side: Mechanism): void {
    // If that fails, `apply` tries again and reports the error.
    this.#note(side).catch(() => undefined);
  }

  /** Checks the wire `connectionId` before it is applied: an error of `check` refuses it. The returned function ends that. */
  guard(connectionId: string, check: (wire: Wire) => void): () => void {
    this.#checks.set(connectionId, check);
    return () => {
      if (this.#checks.get(connectionId) === check) this.#checks.delete(connectionId);
    };
  }

  /** The reachability of a wire; `undefined` if this host has no such wire. */
  reachability(connectionId: string): Reachability | undefined {
    const made = this.#made.get(connectionId);
    if (!made) return undefined;
    if (!isBarePair(made.wire)) return NOT_PROVEN;
    const doubt = this.#drift.doubts.of(connectionId);
    if (!doubt) return BOTH_ENDS_UP;
    return { status: doubt.isCut ? "False" : "Unknown", reason: "Changed", message: doubt.message };
  }

  /** Calls `reader` after every change of the reachability of a wire. The returned function ends that. */
  onReachability(connectionId: string, reader: (reachability: Reachability | undefined) => void): () => void {
    this.#readers.set(connectionId, reader);
    return () => {
      if (this.#readers.get(connectionId) === reader) this.#readers.delete(connectionId);
    };
  }

  #tellReachability(connectionId: string): void {
    this.#readers.get(connectionId)?.(this.reachability(connectionId));
  }

  async apply(wire: Wire, span?: Span): Promise<void> {
    this.#checks.get(wire.connectionId)?.(wire);
    await this.#hostGuard.check(wire, this.each());
    await this.#note(wire.client, wire.endpoint);
    const { connectionId } = wire;
    this.#applying.add(connectionId);
    try {
      await this.#reconciler.apply(planWire(wire), span);
    } finally {
      this.#applying.delete(connectionId);
    }
    this.#unclaimed.delete(connectionId);
    const sinceMs = this.#made.get(connectionId)?.sinceMs ?? this.#world.clock.wallMs();
    this.#made.set(connectionId, { wire, sinceMs });
    this.#drift.doubts.clear(connectionId);
    this.#tellReachability(connectionId);
    this.#onChange();
  }

  async remove(connectionId: string, span?: Span): Promise<void> {
    await this.#reconciler.remove(connectionId, span);
    this.#unclaimed.delete(connectionId);
    this.#hostGuard.forget(connectionId);
    this.#drift.mends.forget(connectionId);
    const wasMade = this.#made.delete(connectionId);
    this.#drift.doubts.clear(connectionId);
    if (!wasMade) return;
    this.#tellReachability(connectionId);
    this.#onChange();
  }

  /** Removes the unclaimed wires, except those in `wanted`, which may still be requested. Returns the ids of removed wires. */
  async sweep(wanted: ReadonlySet<string>): Promise<string[]> {
    const swept = await this.#reconciler.sweep((owner) => wanted.has(owner));
    for (const id of swept) this.#unclaimed.delete(id);
    if (swept.length > 0) this.#onChange();
    return swept;
  }

  /** The tunnel identifier that an unclaimed wire has towards `side`. */
  recall(connectionId: string, type: string, side: Side): number | undefined {
    const tunnels = this.#unclaimed.get(connectionId)?.tunnels ?? [];
    return tunnels.find((each) => each.type === type && each.side === side)?.id;
  }

  /** Converts the devices of release 0.1.0 to those of this version, while packets flow. */
  async #replaceDevices(): Promise<void> {
    const replacement = replaceDevices(await this.#kernel.observe([{ netns: "host" }]));
    if (!replacement) return;
    this.#world.log.info("wires of an earlier version get tunnels of the data path", {
      devices: replacement.remove.length,
    });
    await replace(this.#kernel, replacement);
  }

  /** Adds the namespaces of the sides to the list on the disk. */
  async #note(...sides: readonly Mechanism[]): Promise<void> {
    await this.#namespaces.add(sides.flatMap((side) => deviceOf(side)?.netns ?? []));
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
