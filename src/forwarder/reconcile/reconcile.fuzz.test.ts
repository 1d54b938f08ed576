/** Wires whose names, addresses and tunnels change hands: from any set to any other, in one go. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { test } from "node:test";
import { SimMachine } from "../../sim/kernel/kernel.ts";
import type { Kernel, Netns, Operation } from "../../kernel/kernel.ts";
import { diff } from "./diff.ts";
import { endsOf, isDevice } from "../../kernel/objects.ts";
import { ownerOfAlias } from "../../mechanisms/naming.ts";
import { objectsOf } from "../../kernel/plan.ts";
import { plan } from "../plan/plan.ts";
import { WireMaker } from "../../../fixtures/forwarder/wire-maker.ts";
import type { Wire } from "../wire.ts";

const A: Netns = "file:///run/netns/a";
const B: Netns = "file:///run/netns/b";
const MOST = 4;

/** The numbers of the client names, endpoint names and addresses of four wires; which wires exist, and which are tunnels. */
interface Drawing {
  readonly clients: readonly number[];
  readonly endpoints: readonly number[];
  readonly addresses: readonly number[];
  readonly routes: readonly number[];
  readonly isThere: readonly boolean[];
  readonly isRemote: readonly boolean[];
}

const order = fc.shuffledSubarray([0, 1, 2, 3], { minLength: MOST });
const flags = fc.array(fc.boolean(), { minLength: MOST, maxLength: MOST });
const drawing: fc.Arbitrary<Drawing> = fc.record({
  clients: order,
  endpoints: order,
  addresses: order,
  routes: order,
  isThere: flags,
  isRemote: flags,
});

function wiresOf({ clients, endpoints, addresses, routes, isThere, isRemote }: Drawing): Wire[] {
  return isThere.flatMap((there, i): Wire[] => {
    if (!there) return [];
    const at = addresses[i] ?? 0;
    return [
      {
        connectionId: `c${i}`,
        client: { type: "KERNEL", netns: A, interfaceName: `nsm-${clients[i]}` },
        endpoint: isRemote[i]
          ? {
              type: "VXLAN",
              sourceIp: "10.8.0.1",
              destinationIp: "10.8.0.2",
              vni: 7 + (endpoints[i] ?? 0),
              underlayMtuBytes: 1500,
            }
          : { type: "KERNEL", netns: B, interfaceName: `nse-${endpoints[i]}` },
        context: {
          srcIpAddrs: [`10.0.${at}.1/32`, `fd00:${at}::1/128`],
          dstIpAddrs: [`10.0.${at}.2/32`, `fd00:${at}::2/128`],
          srcRoutes: [{ prefix: `10.9.${routes[i]}.0/24` }],
        },
      },
    ];
  });
}

function namesOf({ object }: Operation): readonly (string | undefined)[] {
  return isDevice(object) ? endsOf(object).map(({ alias }) => ownerOfAlias(alias)) : [];
}

test("any set of wires becomes any other in one go, and unchanged wires are not touched", async () => {
  await fc.assert(
    fc.asyncProperty(drawing, drawing, fc.boolean(), async (first, second, isRestarted) => {
      let nowMs = 0;
      const sleep = (durationMs: number): Promise<void> => {
        nowMs += Math.max(0, durationMs);
        return Promise.resolve();
      };
      const machine = new SimMachine({ clock: { wallMs: () => nowMs, monotonicMs: () => nowMs, sleep } });
      for (const path of [A, B]) machine.createNetns(path.slice("file://".length));
      const sim = machine.kernel();
      const touched: Operation[] = [];
      const kernel: Kernel = {
        apply: (batch) => {
          touched.push(...batch);
          return sim.apply(batch);
        },
        observe: (queries) => sim.observe(queries),
        counters: (queries) => sim.counters(queries),
        resolve: (netns) => sim.resolve(netns),
        watch: () => sim.watch(),
        settle: () => sim.settle(),
        nativeNetworks: (queries) => sim.nativeNetworks(queries),
        devices: (queries) => sim.devices(queries),
        ways: (queries) => sim.ways(queries),
        addresses: (queries) => sim.addresses(queries),
        drops: () => sim.drops(),
      };
      const bring = async (reconciler: WireMaker, wires: readonly Wire[]): Promise<void> => {
        const wanted = new Set(wires.map(({ connectionId }) => connectionId));
        for (const owner of reconciler.owners()) if (!wanted.has(owner)) await reconciler.remove(owner);
        await reconciler.makeRoom(wires);
        await Promise.all(wires.map((wire) => reconciler.apply(wire)));
      };
      const [before, after] = [wiresOf(first), wiresOf(second)];
      let reconciler = new WireMaker(kernel);
      await bring(reconciler, before);
      if (isRestarted) {
        reconciler = new WireMaker(kernel);
        await reconciler.adopt([A, B]);
      }
      touched.length = 0;
      await bring(reconciler, after);
      // Host objects of an earlier process go when nobody has asked for them.
      if (isRestarted) await reconciler.sweep();
      const there = await sim.observe([{ netns: "host" }, { netns: A }, { netns: B }]);
      assert.deepEqual(diff(objectsOf(...after.map((wire) => plan(wire))), there), []);
      const same = new Set(
        before.filter((wire) => after.some((each) => isEqual(each, wire))).map((wire) => wire.connectionId),
      );
      assert.deepEqual(
        touched.filter((operation) => namesOf(operation).some((name) => same.has(name ?? ""))),
        [],
      );
    }),
    { numRuns: 100 },
  );
});

const isEqual = (a: Wire, b: Wire): boolean => JSON.stringify(a) === JSON.stringify(b);
