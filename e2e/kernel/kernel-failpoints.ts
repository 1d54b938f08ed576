/**
 * Every kernel operation that makes or removes a wire fails once, before and after it is done, by an error and by a crash
 * of the kernel's implementation. Then nothing of the wire may be left, and the next attempt must succeed.
 *
 *   local:      [client: nsm-1]===veth===[endpoint: nse-1]
 *   near half:  [client: nsm-1]===veth===nlv-… ((redirect)) nlx-… ))) VXLAN over IPv4
 *   far half:   VXLAN over IPv6 ((( nlx-… ((redirect-peer)) nlv-…===veth===[endpoint: nse-1]
 *   ports:      a stranger's eth1 ((redirect)) nlx-… ))), nlv-…===veth===[endpoint: nse-1], or nlp-…===veth===nlp-…
 * ((redirect)) eth2
 */
import assert from "node:assert/strict";
import { isDevice } from "../../src/kernel/objects.ts";
import { objectsOf } from "../../src/kernel/plan.ts";
import { plan } from "../../src/forwarder/plan/plan.ts";
import { WireMaker } from "../../fixtures/forwarder/wire-maker.ts";
import type { ConnectionContext, Wire } from "../../src/forwarder/wire.ts";
import type { Mechanism } from "../../src/mechanisms/list.ts";
import { NetloomError } from "../../src/errors/errors.ts";
import { describeOperation } from "../../src/kernel/kernel-text.ts";
import type { Failpoint, Kernel, KernelObject, Netns, Operation } from "../../src/kernel/kernel.ts";
import {
  add,
  canonical,
  type ContractCase,
  type KernelHarness,
  remove,
  stateOf,
} from "./kernel-contract-harness.ts";

const context: ConnectionContext = {
  srcIpAddrs: ["10.20.0.1/32", "fd20::1/128"],
  dstIpAddrs: ["10.20.0.2/32", "fd20::2/128"],
  srcRoutes: [{ prefix: "10.21.0.0/16" }, { prefix: "fd21::/32", nextHop: "fd20::2" }],
  dstRoutes: [{ prefix: "10.22.0.0/16", nextHop: "10.20.0.1" }],
  policies: [{ from: "10.20.0.1/32", proto: "tcp", dstPort: "80", routes: [{ prefix: "10.23.0.0/16" }] }],
};

type MakeWire = (client: Netns, endpoint: Netns, ports: readonly Mechanism[]) => Wire;

interface Case {
  readonly title: string;
  readonly wire: MakeWire;
  /** As in `ContractCase`. */
  readonly needs?: readonly string[];
}

const wires: readonly Case[] = [
  {
    title: "a local wire",
    wire: (client, endpoint) => ({
      connectionId: "local",
      client: { type: "KERNEL", netns: client, interfaceName: "nsm-1" },
      endpoint: { type: "KERNEL", netns: endpoint, interfaceName: "nse-1" },
      context,
    }),
  },
  {
    title: "the near half of a remote wire over IPv4",
    wire: (client) => ({
      connectionId: "remote",
      client: { type: "KERNEL", netns: client, interfaceName: "nsm-1" },
      endpoint: {
        type: "VXLAN",
        sourceIp: "10.0.0.1",
        destinationIp: "10.0.0.2",
        vni: 7,
        underlayMtuBytes: 1500,
      },
      context,
    }),
  },
  {
    title: "the far half of a remote wire over IPv6",
    wire: (_client, endpoint) => ({
      connectionId: "remote",
      client: {
        type: "VXLAN",
        sourceIp: "fd00::1",
        destinationIp: "fd00::2",
        vni: 7,
        underlayMtuBytes: 1500,
      },
      endpoint: { type: "KERNEL", netns: endpoint, interfaceName: "nse-1" },
      context,
    }),
  },
  {
    title: "the near half of a remote wire from a port",
    needs: ["tcx links"],
    wire: (_client, _endpoint, [port = assert.fail()]) => ({
      connectionId: "remote",
      client: port,
      endpoint: {
        type: "VXLAN",
        sourceIp: "10.0.0.1",
        destinationIp: "10.0.0.2",
        vni: 7,
        underlayMtuBytes: 1500,
      },
      context,
    }),
  },
  {
    title: "a wire from a port to a workload",
    needs: ["tcx links"],
    wire: (_client, endpoint, [port = assert.fail()]) => ({
      connectionId: "local",
      client: port,
      endpoint: { type: "KERNEL", netns: endpoint, interfaceName: "nse-1" },
      context,
    }),
  },
  {
    title: "a wire between two ports",
    needs: ["tcx links"],
    wire: (_client, _endpoint, [client = assert.fail(), endpoint = assert.fail()]) => ({
      connectionId: "local",
      client,
      endpoint,
      context: {},
    }),
  },
];

/** Adds two foreign devices to the host. */
async function plugPorts(harness: KernelHarness, kernel: Kernel, host: Netns): Promise<Mechanism[]> {
  const far = await harness.netns();
  const names = ["eth1", "eth2"];
  for (const name of names) await harness.plug(host, name, far);
  const facts = await kernel.devices(names.map((link) => ({ netns: "host", link })));
  return names.map((device, i): Mechanism => ({
    type: "PORT",
    netns: host,
    device,
    index: facts[i]?.index ?? assert.fail(),
    mtuBytes: 1500,
  }));
}

type Strike = Omit<Failpoint, "operation">;

const strikes: readonly Strike[] = [
  { when: "before", how: "error" },
  { when: "after", how: "error" },
  { when: "before", how: "crash" },
  { when: "after", how: "crash" },
];

/** The message of a failure that was undone completely. */
const WHOLE = /^(?!.*could be undone)/;

/** Strikes that differ for whole wires under the reconciler: after one operation is the same as before the next. */
const distinctStrikes: readonly Strike[] = [
  { when: "before", how: "error" },
  { when: "after", how: "crash" },
];

export const failpointCases: readonly ContractCase[] = wires.flatMap(({ title, needs = [], wire }) => [
  {
    needs,
    title: `${title}: any operation of its plan may fail, when it is made and when it is removed`,
    run: (harness) => strikePlan(harness, title, wire),
  },
  {
    needs,
    title: `${title}: the reconciler recovers from the failure of any operation`,
    run: (harness) => strikeReconciler(harness, title, wire),
  },
]);

async function strikePlan(harness: KernelHarness, title: string, makeWire: MakeWire): Promise<void> {
  const [host, client, endpoint] = [await harness.netns(), await harness.netns(), await harness.netns()];
  const kernel = await harness.kernel({ host });
  const objects = objectsOf(plan(makeWire(client, endpoint, await plugPorts(harness, kernel, host))));
  const making = add(...objects);
  // Devices last: the shared tunnel objects have a device of their own.
  const removing = remove(...objects).toSorted(
    (a, b) => Number(isDevice(a.object)) - Number(isDevice(b.object)),
  );
  const everywhere = ["host", client, endpoint] as const;
  let struck = 0;
  for (const { operation, strike } of each(making)) {
    const where = `${strike.how} ${strike.when} ${describeOperation(making[operation] as Operation)}`;
    await assert.rejects(kernel.apply(making, { failpoint: { operation, ...strike } }), WHOLE, where);
    if (strike.how === "crash") await kernel.apply(removing);
    await assertNothing(harness, kernel, everywhere, where);
    struck++;
    await kernel.apply(making);
    assert.deepEqual(await stateOf(kernel, ...everywhere), canonical(observable(objects)), where);
    await kernel.apply(removing);
  }
  for (const { operation, strike } of each(removing)) {
    const where = `${strike.how} ${strike.when} ${describeOperation(removing[operation] as Operation)}`;
    await kernel.apply(making);
    await assert.rejects(kernel.apply(removing, { failpoint: { operation, ...strike } }), WHOLE, where);
    struck++;
    await kernel.apply(removing);
    await assertNothing(harness, kernel, everywhere, where);
  }
  harness.say(`${title}: ${struck} failpoints struck in ${making.length} operations`);
}

async function strikeReconciler(harness: KernelHarness, title: string, makeWire: MakeWire): Promise<void> {
  const [host, client, endpoint] = [await harness.netns(), await harness.netns(), await harness.netns()];
  const kernel = await harness.kernel({ host });
  const wire = makeWire(client, endpoint, await plugPorts(harness, kernel, host));
  const wanted = observable(objectsOf(plan(wire)));
  const everywhere = ["host", client, endpoint] as const;
  let struck = 0;
  for (let isStruck = true, operation = 0; isStruck; operation++)
    for (const strike of distinctStrikes) {
      const striking = new StrikingKernel(kernel, { operation, ...strike });
      const reconciler = new WireMaker(striking);
      const where = `${strike.how} ${strike.when} operation ${operation}`;
      const isMade = await succeeds(reconciler.apply(wire));
      if (!isMade) await assertNothing(harness, kernel, everywhere, where);
      if (!isMade) await reconciler.apply(wire);
      assert.deepEqual(await stateOf(kernel, ...everywhere), canonical(wanted), where);
      if (!(await succeeds(reconciler.remove(wire.connectionId)))) await reconciler.remove(wire.connectionId);
      await assertNothing(harness, kernel, everywhere, where);
      isStruck = striking.hasStruck;
      if (isStruck) struck++;
    }
  harness.say(`${title}: ${struck} failpoints struck under the reconciler`);
}

function* each(operations: readonly Operation[]): Generator<{ operation: number; strike: Strike }> {
  for (const operation of operations.keys())
    for (const strike of strikes) {
      // A crash before an operation equals a crash after the previous one.
      const isRepeated = operation > 0 && strike.how === "crash" && strike.when === "before";
      if (!isRepeated) yield { operation, strike };
    }
}

/** Sysctls have no mark and are not observed. */
function observable(objects: readonly KernelObject[]): KernelObject[] {
  return objects.filter((object) => object.kind !== "sysctl");
}

async function assertNothing(
  harness: KernelHarness,
  kernel: Kernel,
  namespaces: readonly Netns[],
  where: string,
): Promise<void> {
  assert.deepEqual(await stateOf(kernel, ...namespaces), [], where);
  await kernel.settle();
  assert.equal(await harness.pins(), 0, `${where}: pins`);
}

/** False if the operation was refused with an operating error. */
async function succeeds(promise: Promise<unknown>): Promise<boolean> {
  try {
    await promise;
    return true;
  } catch (error) {
    if (error instanceof NetloomError) return false;
    throw error;
  }
}

/** A kernel in which one operation fails, counted over all batches. */
class StrikingKernel implements Kernel {
  readonly #kernel: Kernel;
  readonly #failpoint: Failpoint;
  #done = 0;
  hasStruck = false;

  constructor(kernel: Kernel, failpoint: Failpoint) {
    this.#kernel = kernel;
    this.#failpoint = failpoint;
  }

  apply(batch: readonly Operation[]): Promise<void> {
    const operation = this.#failpoint.operation - this.#done;
    this.#done += batch.length;
    if (operation < 0 || operation >= batch.length) return this.#kernel.apply(batch);
    this.hasStruck = true;
    return this.#kernel.apply(batch, { failpoint: { ...this.#failpoint, operation } });
  }

  observe: Kernel["observe"] = (queries) => this.#kernel.observe(queries);
  devices: Kernel["devices"] = (queries) => this.#kernel.devices(queries);
  ways: Kernel["ways"] = (queries) => this.#kernel.ways(queries);
  addresses: Kernel["addresses"] = (queries) => this.#kernel.addresses(queries);
  drops: Kernel["drops"] = () => this.#kernel.drops();
  nativeNetworks: Kernel["nativeNetworks"] = (queries) => this.#kernel.nativeNetworks(queries);
  counters: Kernel["counters"] = (queries) => this.#kernel.counters(queries);
  resolve: Kernel["resolve"] = (netns) => this.#kernel.resolve(netns);
  watch: Kernel["watch"] = () => this.#kernel.watch();
  settle: Kernel["settle"] = () => this.#kernel.settle();
}
