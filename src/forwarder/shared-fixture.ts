/**
 * Plans that share devices of the host, for tests:
 *
 *   [workload: end-N]===veth===[own-N] -redirect-> [nlh-S] ))) VXLAN, held by any number of plans
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { NetloomError } from "../errors/errors.ts";
import type { Failpoint, Kernel, KernelObject, LinkEnd, Netns, Operation, Vxlan } from "../kernel/kernel.ts";
import { hostAlias, type Plan } from "../kernel/plan.ts";
import { diff } from "./diff.ts";
import { Reconciler } from "./reconcile.ts";

interface Wish {
  /** 0 to 9. */
  readonly number: number;
  /** Numbers of the devices that it shares, 0 to 9. */
  readonly shares: readonly number[];
  /** Of its members: each is a neighbour. */
  readonly members: readonly number[];
}

function ownerOf(number: number): string {
  return `p${number}`;
}

function planOf({ number, shares, members }: Wish, workload: Netns): Plan {
  const own = { netns: "host", link: `own-${number}` } as const;
  const [target] = shares;
  const end = (netns: Netns, name: string, byte: number): LinkEnd => ({
    netns,
    name,
    mac: `02:00:00:00:0${byte}:0${number}`,
    mtuBytes: 1400,
    alias: `server-${ownerOf(number)}`,
  });
  return {
    owner: ownerOf(number),
    shared: shares.flatMap(sharedObjects),
    objects: [
      { kind: "veth", ends: [end("host", own.link, 1), end(workload, `end-${number}`, 2)] },
      ...(target === undefined
        ? []
        : ([{ kind: "program", ...own, verdict: "redirect", target: `nlh-${target}` }] as const)),
      { kind: "address", ...own, address: `10.1.${number}.1/24` },
      { kind: "up", ...own },
      // Its own object on a device that it shares.
      ...shares.map((share): KernelObject => ({
        kind: "neighbor",
        netns: "host",
        link: `nlh-${share}`,
        address: `10.2.${share}.${100 + number}`,
        mac: `02:00:00:00:03:0${number}`,
      })),
    ],
    members: new Map(members.map((key) => [`m${key}`, memberObjects(number, key)])),
  };
}

function sharedObjects(share: number): KernelObject[] {
  const on = { netns: "host", link: `nlh-${share}` } as const;
  const device: Vxlan = {
    kind: "vxlan",
    netns: "host",
    name: on.link,
    mac: `02:00:00:00:09:0${share}`,
    mtuBytes: 1400,
    alias: hostAlias(`nlh-${share}`),
    vni: 900 + share,
    local: "10.8.0.1",
    remote: "10.8.0.2",
    port: 4789,
  };
  return [device, { kind: "address", ...on, address: `10.2.${share}.1/24` }, { kind: "up", ...on }];
}

function memberObjects(number: number, key: number): KernelObject[] {
  const mac = `02:00:00:${hex(key >> 8)}:${hex(key)}:0${number}`;
  const address = `10.1.${number}.${2 + (key % 250)}`;
  return [{ kind: "neighbor", netns: "host", link: `own-${number}`, address, mac }];
}

function hex(value: number): string {
  return (value & 0xff).toString(16).padStart(2, "0");
}

export type Command =
  | { readonly type: "apply"; readonly wish: Wish }
  | { readonly type: "remove"; readonly number: number }
  | { readonly type: "member"; readonly number: number; readonly key: number; readonly isThere: boolean }
  /** Another process: these are asked for again, and then the grace is over, or it is over before the last of them. */
  | { readonly type: "restart"; readonly kept: readonly number[]; readonly isLate: boolean }
  /** Somebody takes a shared device away; whoever asks next repairs it. */
  | { readonly type: "damage"; readonly share: number };

const number = fc.nat(3);
const some = (max: number): fc.Arbitrary<number[]> => fc.uniqueArray(fc.nat(max), { maxLength: max + 1 });
export const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant("apply" as const),
      wish: fc.record({ number, shares: some(2), members: some(3) }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("remove" as const), number }) },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant("member" as const),
      number,
      key: fc.nat(3),
      isThere: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant("restart" as const), kept: some(3), isLate: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("damage" as const), share: fc.nat(2) }) },
);
export const failures = fc.array(
  fc.record({
    /** Batches from now on. */
    after: fc.nat(4),
    failpoint: fc.record({
      operation: fc.nat(4),
      when: fc.constantFrom("before" as const, "after" as const),
      how: fc.constantFrom("error" as const, "crash" as const),
    }),
  }),
  { maxLength: 6 },
);

export interface Failure {
  /** So many batches succeed before. */
  readonly after: number;
  readonly failpoint: Failpoint;
}

/** A host whose plans come and go, and who holds what. What fails is tried again. */
export class SharingHost {
  readonly wishes = new Map<number, Wish>();
  readonly #workload: Netns;
  /** Without failures. */
  readonly #sound: Kernel;
  readonly #kernel: Kernel;
  readonly #failures: { after: number; readonly failpoint: Failpoint }[];
  #reconciler: Reconciler;

  constructor(kernel: Kernel, workload: Netns, planned: readonly Failure[]) {
    this.#workload = workload;
    this.#failures = planned.map((each) => ({ ...each }));
    this.#sound = kernel;
    this.#kernel = {
      apply: (batch) => kernel.apply(batch, this.#strike()),
      observe: (queries) => kernel.observe(queries),
      nativeNetworks: (queries) => kernel.nativeNetworks(queries),
      devices: (queries) => kernel.devices(queries),
      counters: (queries) => kernel.counters(queries),
      resolve: (netns) => kernel.resolve(netns),
      watch: () => kernel.watch(),
      settle: () => kernel.settle(),
    };
    this.#reconciler = new Reconciler(this.#kernel);
  }

  async do(step: Command): Promise<void> {
    if (step.type === "apply") {
      this.wishes.set(step.wish.number, step.wish);
      await this.#repeat(() => this.#reconciler.apply(planOf(step.wish, this.#workload)));
    }
    if (step.type === "remove") {
      this.wishes.delete(step.number);
      await this.#repeat(() => this.#reconciler.remove(ownerOf(step.number)));
    }
    if (step.type === "member") await this.#changeMember(step.number, step.key, step.isThere);
    if (step.type === "restart") await this.#restart(step.kept, step.isLate);
    if (step.type === "damage") await this.#damage(step.share);
  }

  async holdsExactly(title: string): Promise<void> {
    assert.deepEqual(await this.#difference(), [], title);
  }

  async #difference(): Promise<readonly Operation[]> {
    const there = await this.#sound.observe([{ netns: "host" }, { netns: this.#workload }]);
    return diff(this.#wanted(), there);
  }

  #wanted(): KernelObject[] {
    const shares = new Set([...this.wishes.values()].flatMap((wish) => wish.shares));
    const plans = [...this.wishes.values()].map((wish) => planOf(wish, this.#workload));
    return [
      ...[...shares].flatMap(sharedObjects),
      ...plans.flatMap(({ objects, members = [] }) => [
        ...objects,
        ...[...members].flatMap(([, each]) => each),
      ]),
    ];
  }

  async #changeMember(owner: number, key: number, isThere: boolean): Promise<void> {
    const wish = this.wishes.get(owner);
    if (!wish) return;
    const members = [...wish.members.filter((each) => each !== key), ...(isThere ? [key] : [])];
    this.wishes.set(owner, { ...wish, members });
    const objects = isThere ? memberObjects(owner, key) : [];
    await this.#repeat(() => this.#reconciler.applyMember(ownerOf(owner), `m${key}`, objects));
  }

  /** What is not asked for again stays until the sweep, and goes with it. */
  async #restart(kept: readonly number[], isLate: boolean): Promise<void> {
    this.#reconciler = new Reconciler(this.#kernel);
    await this.#reconciler.adopt(["host", this.#workload]);
    await this.holdsExactly("adoption changes nothing");
    for (const each of [...this.wishes.keys()].filter((each) => !kept.includes(each)))
      this.wishes.delete(each);
    const again = [...this.wishes.values()];
    const late = isLate ? again.pop() : undefined;
    for (const wish of again) await this.#repeat(() => this.#reconciler.apply(planOf(wish, this.#workload)));
    const isAwaited = (owner: string): boolean => late !== undefined && owner === ownerOf(late.number);
    await this.#repeat(() => this.#reconciler.sweep(isAwaited));
    const missing = (await this.#difference()).filter(({ verb }) => verb !== "remove");
    assert.deepEqual(missing, [], "what somebody still waits for, and may share, is not swept");
    if (late) await this.#repeat(() => this.#reconciler.apply(planOf(late, this.#workload)));
  }

  async #damage(share: number): Promise<void> {
    const [device] = sharedObjects(share);
    assert.ok(device);
    await this.#sound.apply([{ verb: "remove", object: device }]);
    for (const wish of this.wishes.values())
      await this.#repeat(() => this.#reconciler.apply(planOf(wish, this.#workload)));
  }

  #strike(): { failpoint?: Failpoint } {
    const [next] = this.#failures;
    if (!next || next.after-- > 0) return {};
    this.#failures.shift();
    return { failpoint: next.failpoint };
  }

  async #repeat(task: () => Promise<unknown>): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      try {
        await task();
        return;
      } catch (error) {
        if (!(error instanceof NetloomError) || attempt > 10) throw error;
      }
    }
  }
}
