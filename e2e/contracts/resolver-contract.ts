/**
 * The contract of every resolver of workloads, as data: it holds on the kernel of this machine and on the simulated
 * one. Each resolver of the list has a specimen: a name, and a way to make its object appear and disappear.
 */
import { NO_LOG } from "../../src/observe/log.ts";
import assert from "node:assert/strict";
import type { Scope } from "../../src/async/scope.ts";
import type { Clock } from "../../src/async/clock.ts";
import type { Netns } from "../../src/kernel/kernel.ts";
import type { Outside, WorkloadRef } from "../../src/resolvers/resolver.ts";
import { RESOLVERS } from "../../src/resolvers/resolvers.ts";
import { identityKey, leadsTo, resolveWorkload, workloadLabel } from "../../src/resolvers/workload-ref.ts";
import { WorkloadWatch } from "../../src/resolvers/workload-watch.ts";

/** A name for one case. Nothing has it yet. */
export interface Specimen {
  readonly ref: WorkloadRef;
  /** Makes the object appear, and returns its namespace as a path. */
  come(): Promise<Netns>;
  /** Removes the object with its namespace. */
  go(): Promise<void>;
  /** For a port: changes it as its owner does. */
  tend?(change: {
    readonly isUp?: boolean;
    readonly mtuBytes?: number;
    readonly master?: string;
  }): Promise<void>;
  /** The name never means a later object in the same place, because numbers are reused. */
  readonly isOnce?: true;
}

/** A machine for one case. Its maker cleans it up. */
export interface ResolverHarness {
  readonly world: { readonly clock: Clock; readonly scope: Scope };
  readonly outside: Outside;
  /** Specimens by type of resolver. */
  readonly specimens: Readonly<Record<string, () => Promise<Specimen>>>;
  /** Number of resources that resolvers hold on the machine now. */
  held(): number;
}

export interface ResolverCase {
  readonly title: string;
  run(harness: ResolverHarness): Promise<void>;
}

export const resolverContract: readonly ResolverCase[] = [
  {
    title: "every resolver of the list has a specimen",
    run: async ({ specimens }) => {
      assert.deepEqual(Object.keys(specimens).sort(), RESOLVERS.map(({ type }) => type).sort());
      await Promise.resolve();
    },
  },
  {
    title: "two names of one namespace have one identity, and two namespaces have two",
    run: async ({ specimens, outside }) => {
      const identities = new Map<string, string>();
      for (const make of Object.values(specimens)) {
        const specimen = await make();
        const netns = await specimen.come();
        const key = identityKey(await resolveWorkload(specimen.ref, outside));
        const path = netns.slice("file://".length);
        const inside = identityKey(await resolveWorkload({ netns: path }, outside));
        // A port is one of the devices of its namespace.
        assert.equal(inside === key, leadsTo(specimen.ref) === "netns");
        assert.equal(identities.get(key), undefined);
        identities.set(key, path);
        await specimen.go();
      }
    },
  },
  ...RESOLVERS.flatMap(({ type }) => casesOf(type)),
  ...RESOLVERS.filter((resolver) => resolver.leadsTo === "port").flatMap(({ type }) => portCasesOf(type)),
];

function portCasesOf(type: string): ResolverCase[] {
  return [
    {
      title: `${type}: a port keeps its identity while it goes down, comes up and gets a smaller MTU, and each change is reported`,
      run: async (harness) => {
        const specimen = await specimenOf(harness, type);
        await specimen.come();
        await watching(harness, specimen.ref, async (watch) => {
          const there = await next(watch, harness);
          assert.deepEqual([there.isThere, watch.condition], [true, { mtuBytes: 1500 }]);
          for (const [change, expected] of [
            [{ isUp: false }, [1500, /^port \S+ is down/]],
            [{ isUp: true }, [1500, /^$/]],
            [{ mtuBytes: 1400 }, [1400, /^$/]],
          ] as const) {
            const { condition } = watch;
            await specimen.tend?.(change);
            watch.look();
            await watch.turned(there, condition, harness.world.scope);
            assert.equal(watch.presence, there);
            const { mtuBytes, whyDown = "" } = watch.condition ?? assert.fail();
            assert.equal(mtuBytes, expected[0]);
            assert.match(whyDown, expected[1]);
          }
        });
        await specimen.go();
      },
    },
    {
      title: `${type}: a device that joins a bridge stops being a port, with the reason`,
      run: async (harness) => {
        const specimen = await specimenOf(harness, type);
        await specimen.come();
        await watching(harness, specimen.ref, async (watch) => {
          const there = await next(watch, harness);
          assert.ok(there.isThere);
          await specimen.tend?.({ master: "br-1" });
          const presence = await next(watch, harness, there);
          assert.ok(!presence.isThere);
          assert.match(presence.reason, /cannot be a port: it is a member of br-1/);
          assert.deepEqual([presence.error?.code, presence.error?.topic], ["FAILED_PRECONDITION", "NL-411"]);
        });
        await specimen.go();
      },
    },
  ];
}

function casesOf(type: string): ResolverCase[] {
  return [
    {
      title: `${type}: a name that refers to nothing is NOT_FOUND, and a watch of it reports why`,
      run: async (harness) => {
        const { ref } = await specimenOf(harness, type);
        await assert.rejects(resolveWorkload(ref, harness.outside), { code: "NOT_FOUND" });
        await watching(harness, ref, async (watch) => {
          const presence = await next(watch, harness);
          assert.ok(!presence.isThere && presence.reason !== "" && presence.error?.code === "NOT_FOUND");
        });
        assert.equal(harness.held(), 0);
      },
    },
    {
      title: `${type}: an object that appears is reported with its identity in the kernel, and its end is reported too`,
      run: async (harness) => {
        const specimen = await specimenOf(harness, type);
        await watching(harness, specimen.ref, async (watch) => {
          const missing = await next(watch, harness);
          const netns = await specimen.come();
          const there = await next(watch, harness, missing);
          assert.ok(there.isThere);
          assert.deepEqual(there.found.identity, await harness.outside.kernel.resolve(netns));
          assert.deepEqual(await resolveWorkload(specimen.ref, harness.outside), there.found);
          assert.ok(watch.isCalled(there.found.identity.netns));
          await specimen.go();
          const gone = await next(watch, harness, there);
          assert.ok(!gone.isThere && gone.reason !== "");
        });
        assert.equal(harness.held(), 0);
      },
    },
    {
      title: `${type}: a later object in the same place has another identity, or is not found if the name is valid only once`,
      run: async (harness) => {
        const specimen = await specimenOf(harness, type);
        await specimen.come();
        await watching(harness, specimen.ref, async (watch) => {
          const first = await next(watch, harness);
          assert.ok(first.isThere);
          await specimen.go();
          await specimen.come();
          let second = await next(watch, harness, first);
          // A resolver that looks in between finds nothing there.
          if (!second.isThere && specimen.isOnce !== true) second = await next(watch, harness, second);
          assert.equal(second.isThere, specimen.isOnce !== true);
          if (second.isThere) assert.notEqual(identityKey(second.found), identityKey(first.found));
        });
        await specimen.go();
        assert.equal(harness.held(), 0);
      },
    },
  ];
}

async function specimenOf({ specimens }: ResolverHarness, type: string): Promise<Specimen> {
  const make = specimens[type];
  assert.ok(make, `no specimen of the resolver ${type}`);
  return await make();
}

async function watching(
  { world, outside }: ResolverHarness,
  ref: WorkloadRef,
  body: (watch: WorkloadWatch) => Promise<void>,
): Promise<void> {
  const scope = world.scope.child("watch a workload");
  const name = `host/${workloadLabel(ref)}`;
  const watch = new WorkloadWatch({ world: { ...world, scope, log: NO_LOG }, outside }, { ref, name });
  watch.start();
  try {
    await body(watch);
  } finally {
    watch.stop();
    await scope.end();
  }
}

/**
 * The next report after `seen`, the last one. It stands in for the kernel's notification and makes the resolver look
 * now.
 */
async function next(
  watch: WorkloadWatch,
  { world }: ResolverHarness,
  seen = watch.presence,
): Promise<WorkloadWatch["presence"]> {
  watch.look();
  return await watch.changed(seen, world.scope);
}
