/**
 * A small agent that makes and removes wires together with its peers: the workload of the simulator's own tests.
 *
 * A wire is asked for by one end (`from`). That end picks a VNI, writes it into its journal, asks the other end to open
 * its half, and then applies its own. A refused VNI is tried again with another under a higher attempt number, so that
 * a message that comes late is known as such. A closed wire leaves a tombstone in both journals for the same reason.
 */
import { isDevice } from "../kernel/objects.ts";
import { VXLAN_PORT } from "../kernel/objects/vxlan.ts";
import { derivedMac } from "../net/mac.ts";
import { NetloomError } from "../errors/errors.ts";
import type { KernelObject, Operation } from "../kernel/kernel.ts";
import type { Scope } from "../async/scope.ts";
import type { HostWorld } from "../world/world.ts";
import { Hash } from "./hash.ts";

/** A wire that shall exist from `makeAtMs` on, until `removeAtMs` if there is one. */
export interface Wish {
  readonly id: string;
  readonly from: string;
  readonly to: string;
  readonly makeAtMs: number;
  readonly removeAtMs: number | undefined;
}

/** A bug to plant, in order to see whether the simulator finds it. */
export type Plant = "no-journal" | "no-tombstone";

/** What both ends of a wire have to agree on, and what each writes into its journal. */
export interface WireHalf {
  readonly id: string;
  readonly peer: string;
  readonly vni: number;
  readonly attempt: number;
  readonly state: "open" | "closing" | "closed";
}

/** Few, so that the hosts have to fight for them. */
const VNIS = 24;
const CALL_TIMEOUT_MS = 400;

export class ToyAgent {
  readonly #world: HostWorld;
  readonly #plant: Plant | undefined;
  readonly #journal = new Map<string, WireHalf>();
  readonly #tails = new Map<string, Promise<void>>();
  #draws = 0;

  constructor(world: HostWorld, plant?: Plant) {
    this.#world = world;
    this.#plant = plant;
  }

  /** Reads the journal, serves the peers, and drives the wires that this host wishes for. */
  async run(wishes: readonly Wish[]): Promise<void> {
    const { disk, hops, host, scope } = this.#world;
    const journal = await disk.read("journal");
    for (const half of journal ? (decode(journal) as WireHalf[]) : []) this.#journal.set(half.id, half);
    await hops.serve(toyUrl(host), {
      methods: ["open", "close"].map((path) => ({ path, kind: "call" }) as const),
      call: async ({ method, bytes }) => ({
        bytes: await this.#answer(method, decode(bytes) as WireHalf),
        metadata: {},
      }),
      watch: ({ method }) => {
        throw new NetloomError("UNIMPLEMENTED", `watch ${method}: there are no streams here`);
      },
    });
    for (const wish of wishes.filter(({ from }) => from === host)) {
      scope.spawn(`wire ${wish.id}`, (task) => this.#drive(wish, task));
    }
  }

  async #drive(wish: Wish, scope: Scope): Promise<void> {
    const { id, makeAtMs, removeAtMs } = wish;
    await this.#sleepUntil(makeAtMs, scope);
    if (!this.#journal.has(id))
      this.#put({ id, peer: wish.to, vni: this.#freeVni(), attempt: 1, state: "open" });
    while (this.#half(id).state === "open" && !(await this.#tryOnce(() => this.#open(id, scope), scope)));
    if (removeAtMs === undefined) return;
    await this.#sleepUntil(removeAtMs, scope);
    while (this.#half(id).state !== "closed" && !(await this.#tryOnce(() => this.#close(id, scope), scope)));
  }

  async #open(id: string, scope: Scope): Promise<void> {
    await this.#save();
    try {
      await this.#call("open", this.#half(id), scope);
    } catch (error) {
      if (!(error instanceof NetloomError && error.code === "ALREADY_EXISTS")) throw error;
      const half = this.#half(id);
      this.#put({ ...half, vni: this.#freeVni(), attempt: half.attempt + 1 });
      throw error;
    }
    await this.#locked(id, () => this.#reconcile(this.#half(id)));
  }

  async #close(id: string, scope: Scope): Promise<void> {
    const half = this.#half(id);
    if (half.state === "open") this.#put({ ...half, attempt: half.attempt + 1, state: "closing" });
    await this.#save();
    await this.#call("close", this.#half(id), scope);
    await this.#locked(id, async () => {
      const closed: WireHalf = { ...this.#half(id), state: "closed" };
      await this.#reconcile(closed);
      this.#put(closed);
      await this.#save();
    });
  }

  /** The other end's side of `open` and `close`. One message about a wire after the other. */
  #answer(method: string, asked: WireHalf): Promise<Uint8Array> {
    return this.#locked(asked.id, async () => {
      const known = this.#journal.get(asked.id);
      if (method === "open") await this.#accept(asked, known);
      else if (known && known.state !== "closed") await this.#release(asked);
      else if (!known) await this.#bury(asked);
      return new Uint8Array();
    });
  }

  async #accept(asked: WireHalf, known: WireHalf | undefined): Promise<void> {
    if (known && (known.state === "closed" || known.attempt > asked.attempt)) {
      throw new NetloomError("ABORTED", `open ${asked.id}: attempt ${asked.attempt} is out of date`);
    }
    if (this.#isTaken(asked.vni, asked.id)) {
      throw new NetloomError("ALREADY_EXISTS", `open ${asked.id}: vni ${asked.vni} is taken`);
    }
    this.#put(asked);
    if (this.#plant !== "no-journal") await this.#save();
    await this.#reconcile(asked);
  }

  async #release(asked: WireHalf): Promise<void> {
    await this.#reconcile({ ...asked, state: "closed" });
    await this.#bury(asked);
  }

  async #bury(asked: WireHalf): Promise<void> {
    if (this.#plant === "no-tombstone") this.#journal.delete(asked.id);
    else this.#put({ ...asked, state: "closed" });
    await this.#save();
  }

  /** Brings the kernel to what `half` says. It may have been left anywhere by a crash or a failed batch. */
  async #reconcile(half: WireHalf): Promise<void> {
    const { kernel, host } = this.#world;
    const wanted = half.state === "closed" ? [] : wireObjects(host, half);
    const links = linkNames(half.id);
    const observed = await kernel.observe([{ netns: "host", links }]);
    const wantedKeys = new Set(wanted.map(canonical));
    let present = new Set(observed.map(canonical));
    if ([...present].some((key) => !wantedKeys.has(key))) {
      // The addresses and the state go with their links.
      const batch = observed.filter(isDevice);
      await kernel.apply(batch.map((object): Operation => ({ verb: "remove", object })));
      present = new Set();
    }
    const missing = wanted.filter((object) => !present.has(canonical(object)));
    if (missing.length > 0) await kernel.apply(missing.map((object): Operation => ({ verb: "add", object })));
  }

  async #call(method: string, half: WireHalf, scope: Scope): Promise<void> {
    const { hops, host } = this.#world;
    const bytes = encode({ ...half, peer: host, state: "open" } satisfies WireHalf);
    const request = { bytes, metadata: {} };
    await hops.dial(toyUrl(half.peer)).call(method, request, { timeoutMs: CALL_TIMEOUT_MS, scope });
  }

  /** Whether `step` succeeded. If not, waits a while: operating errors pass. */
  async #tryOnce(step: () => Promise<void>, scope: Scope): Promise<boolean> {
    try {
      await step();
      return true;
    } catch (error) {
      if (!(error instanceof NetloomError)) throw error;
      const { clock, random } = this.#world;
      await clock.sleep(20 + Math.floor(200 * random.fraction("back-off", this.#draws++)), scope);
      return false;
    }
  }

  async #save(): Promise<void> {
    const { disk } = this.#world;
    await disk.replace("journal", encode([...this.#journal.values()]));
    await disk.sync("journal");
  }

  /** Runs `work` after all earlier work on this wire. */
  #locked<T>(id: string, work: () => Promise<T>): Promise<T> {
    const result = (this.#tails.get(id) ?? Promise.resolve()).then(work);
    const ignore = (): void => undefined;
    this.#tails.set(id, result.then(ignore, ignore));
    return result;
  }

  #freeVni(): number {
    for (;;) {
      const vni = 1 + Math.floor(VNIS * this.#world.random.fraction("vni", this.#draws++));
      if (!this.#isTaken(vni, "")) return vni;
    }
  }

  #isTaken(vni: number, byOtherThan: string): boolean {
    return [...this.#journal.values()].some(
      (half) => half.vni === vni && half.id !== byOtherThan && half.state !== "closed",
    );
  }

  #put(half: WireHalf): void {
    this.#journal.set(half.id, half);
  }

  #half(id: string): WireHalf {
    const half = this.#journal.get(id);
    if (!half) throw new Error(`wire ${id} is not in the journal`);
    return half;
  }

  #sleepUntil(timeMs: number, scope: Scope): Promise<void> {
    const { clock } = this.#world;
    return clock.sleep(Math.max(0, timeMs - clock.monotonicMs()), scope);
  }
}

/** All links that a wire may have on a host. */
function linkNames(id: string): string[] {
  return [`t-${id}`, `p-${id}`, `x-${id}`];
}

/** One half of a wire: a veth pair, a tunnel to the other host, and an address. */
export function wireObjects(host: string, half: Pick<WireHalf, "id" | "peer" | "vni">): KernelObject[] {
  const netns = "host";
  const alias = `toy-${half.id}`;
  const end = (name: string) =>
    ({ netns, name, mac: derivedMac([`${host}/${name}`]), mtuBytes: 1400, alias }) as const;
  const [near = "", far = "", tunnel = ""] = linkNames(half.id);
  return [
    { kind: "veth", ends: [end(near), end(far)] },
    {
      kind: "vxlan",
      ...end(tunnel),
      vni: half.vni,
      local: hostAddress(host),
      remote: hostAddress(half.peer),
      port: VXLAN_PORT,
    },
    { kind: "address", netns, link: near, address: `10.${derivedBytes(`${host}/${half.id}`).join(".")}/32` },
    ...[near, far, tunnel].map((link) => ({ kind: "up", netns, link }) as const),
  ];
}

/** An object as text, whatever the order of its fields. */
export function canonical(object: KernelObject): string {
  return JSON.stringify(object, (_, value: unknown) =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
}

function toyUrl(host: string): string {
  return `tcp://${host}:7000`;
}

function hostAddress(host: string): string {
  return `192.0.2.${1 + (derivedBytes(host)[0] % 254)}`;
}

function derivedBytes(text: string): readonly [number, number, number] {
  const [lane] = new Hash().update(text).lanes();
  return [(lane >>> 16) & 0xff, (lane >>> 8) & 0xff, lane & 0xff];
}

function encode(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

function decode(bytes: Uint8Array): unknown {
  return JSON.parse(new TextDecoder().decode(bytes));
}
