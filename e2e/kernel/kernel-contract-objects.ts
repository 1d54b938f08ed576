/** Every kind of object is observed as it was added, changes, is removed, and can be added again. */
import assert from "node:assert/strict";
import { contains, mustParsePrefix, network } from "../../src/net/ip.ts";
import {
  add,
  canonical,
  type ContractCase,
  kernelError,
  remove,
  STRANGERS_MARK,
  stateOf,
} from "./kernel-contract-harness.ts";
import { lone, scene, specimens, type Specimen, veth, vxlan } from "./kernel-contract-specimens.ts";

/** The index of a specimen in the list. */
type Titled = Specimen & { readonly index: number };

/** Titles do not depend on namespaces: any namespaces serve to list the specimens. */
const titled: readonly Titled[] = specimens("host", "host").map((specimen, index) => ({
  ...specimen,
  index,
}));

export const objectCases: readonly ContractCase[] = [
  ...titled.map(roundTrip),
  ...titled.filter((specimen) => specimen.changed).map(change),
  {
    title: "observe sees a veth pair from either side, and names the namespaces as in the query",
    async run(harness) {
      const workload = await harness.netns();
      const kernel = await harness.kernel();
      await kernel.apply(add(veth(workload)));
      const { netns: identity } = await kernel.resolve(workload);
      assert.deepEqual(await stateOf(kernel, "host", identity), canonical([veth(identity)]));
      assert.equal((await kernel.observe([{ netns: "host" }])).length, 1);
      assert.equal((await kernel.observe([{ netns: workload }])).length, 1);
      assert.deepEqual(await stateOf(kernel, "host"), canonical([veth(identity)]));
    },
  },
  {
    title: "observe returns only objects on the queried links",
    async run(harness) {
      const workload = await harness.netns();
      const kernel = await harness.kernel();
      const up = { kind: "up", netns: workload, link: "dev-1" } as const;
      const address = { kind: "address", netns: workload, link: "dev-1", address: "10.4.0.1/24" } as const;
      const route = { kind: "route", netns: workload, link: "dev-1", destination: "10.5.0.0/24" } as const;
      const wanted = [lone(workload, "dev-1"), address, up, route];
      await kernel.apply(add(...scene(workload), ...wanted));
      const seen = await kernel.observe([{ netns: workload, links: ["dev-1"] }]);
      assert.deepEqual(canonical(seen), canonical(wanted));
      assert.deepEqual(await kernel.observe([{ netns: workload, links: ["absent"] }]), []);
    },
  },
  {
    title: "nativeNetworks returns addresses, routes and gateways of a namespace, and nothing of a wire",
    async run(harness) {
      const host = await harness.netns();
      const kernel = await harness.kernel({ host });
      const stranger = await harness.kernel({ host, mark: STRANGERS_MARK });
      const on = (link: string) => ({ netns: "host", link }) as const;
      await stranger.apply(
        add(
          lone("host", "eth-1"),
          { kind: "address", ...on("eth-1"), address: "10.4.0.2/24" },
          { kind: "address", ...on("eth-1"), address: "fd04::2/64" },
          { kind: "up", ...on("eth-1") },
          { kind: "route", ...on("eth-1"), destination: "0.0.0.0/0", via: "10.4.0.1" },
          { kind: "route", ...on("eth-1"), destination: "10.6.0.0/24" },
          { kind: "route", ...on("eth-1"), destination: "fd06::/64", via: "fd04::1" },
          { kind: "route", ...on("eth-1"), destination: "10.7.0.0/24", table: 7 },
        ),
      );
      await kernel.apply(
        add(
          lone("host", "dev-1"),
          { kind: "address", ...on("dev-1"), address: "10.5.0.1/32", peer: "10.5.0.0/32" },
          { kind: "address", ...on("dev-1"), address: "fd05::1/128" },
          { kind: "up", ...on("dev-1") },
          { kind: "route", ...on("dev-1"), destination: "10.8.0.0/24", via: "10.5.0.0", onlink: true },
        ),
      );
      const [all, absent] = await kernel.nativeNetworks([
        { netns: "host" },
        { netns: "file:///run/netns/absent" },
      ]);
      assert.equal(absent, undefined);
      assert.equal(all?.identity, (await kernel.resolve("host")).netns);
      const { addresses, routes } = all;
      const isOfLinux = (text: string): boolean => /^(127|::1|fe80|ff00)/.test(text);
      assert.deepEqual(addresses.filter((each) => !isOfLinux(each)).sort(), ["10.4.0.2/24", "fd04::2/64"]);
      const known = new Set(["10.4.0.0/24", "fd04::/64"]);
      assert.deepEqual(
        routes
          .filter(({ destination }) => !isOfLinux(destination) && !known.has(destination))
          .map(({ destination, via }) => `${destination} ${via}`)
          .sort(),
        ["0.0.0.0/0 10.4.0.1", "10.6.0.0/24 undefined", "fd06::/64 fd04::1"],
      );
      const taken = ["10.4.0.1/32", "10.4.0.2/32", "10.4.0.9/32", "10.6.0.7/32", "fd04::5/128"];
      const free = ["10.5.0.0/32", "10.5.0.1/32", "10.8.0.3/32", "10.200.0.1/32", "fd05::1/128"];
      const [near] = await kernel.nativeNetworks([{ netns: "host", near: [...taken, ...free] }]);
      const held = [...(near?.addresses ?? []), ...(near?.routes ?? []).map(({ destination }) => destination)]
        .map((each) => network(mustParsePrefix(each)))
        .filter(({ length }) => length > 0);
      const isHeld = (text: string): boolean =>
        held.some((each) => contains(each, mustParsePrefix(text).address));
      assert.deepEqual([...taken, ...free].filter(isHeld), taken);
    },
  },
  {
    title: "a stranger's objects are neither observed nor removed",
    async run(harness) {
      const host = await harness.netns();
      const kernel = await harness.kernel({ host });
      const stranger = await harness.kernel({ host, mark: STRANGERS_MARK });
      const theirs = [lone("host", "dev-1"), vxlan("host", "vx-1")];
      await stranger.apply(add(...theirs));
      assert.deepEqual(await stateOf(kernel, "host"), []);
      await kernel.apply(remove(...theirs));
      assert.deepEqual(await stateOf(stranger, "host"), canonical(theirs));
    },
  },
  {
    title: "a missing sysctl is skipped if it is optional",
    async run(harness) {
      const kernel = await harness.kernel();
      const missing = {
        kind: "sysctl",
        netns: "host",
        link: "none",
        values: { "net/ipv6/conf/%/accept_ra": "0" },
      } as const;
      await kernel.apply(add({ ...missing, isOptional: true }));
      assert.equal((await kernelError(kernel.apply(add(missing)))).errno, "ENOENT");
    },
  },
  {
    title: "a sysctl is set in its namespace only",
    async run(harness) {
      const workload = await harness.netns();
      const kernel = await harness.kernel();
      const forwarding = {
        kind: "sysctl",
        netns: workload,
        values: { "net/ipv4/ip_forward": "1" },
      } as const;
      const odd = {
        kind: "sysctl",
        netns: workload,
        link: "a.b",
        values: { "net/ipv4/conf/%/rp_filter": "0" },
      } as const;
      await kernel.apply(add(lone(workload, "a.b"), forwarding, odd));
      await kernel.apply([
        {
          verb: "change",
          object: { ...forwarding, values: { "net/ipv4/ip_forward": "0" } },
          from: forwarding,
        },
      ]);
    },
  },
];

function roundTrip({ title, needs = [], index }: Titled): ContractCase {
  return {
    needs,
    title: `${title}: is observed as added, is removed without a trace, and can be added again at once`,
    async run(harness) {
      const workload = await harness.netns();
      const other = await harness.netns();
      const { before = [], object } = specimenAt(specimens(workload, other), index);
      const kernel = await harness.kernel();
      const state = (): Promise<string[]> => stateOf(kernel, "host", workload, other);
      const surroundings = [...scene(workload), ...before];
      await kernel.apply(add(...surroundings));
      assert.deepEqual(await state(), canonical(surroundings));
      for (let round = 0; round < 2; round++) {
        await kernel.apply(add(object));
        assert.deepEqual(await state(), canonical([...surroundings, object]));
        await kernel.apply(remove(object));
        assert.deepEqual(await state(), canonical(surroundings));
        await kernel.apply(remove(object));
      }
    },
  };
}

function change({ title, needs = [], index }: Titled): ContractCase {
  return {
    needs,
    title: `${title}: changes in place, and back if the batch fails`,
    async run(harness) {
      const workload = await harness.netns();
      const other = await harness.netns();
      const { before = [], object, changed } = specimenAt(specimens(workload, other), index);
      assert.ok(changed);
      const kernel = await harness.kernel();
      const state = (): Promise<string[]> => stateOf(kernel, "host", workload, other);
      const surroundings = [...scene(workload), ...before];
      await kernel.apply(add(...surroundings, object));
      const forth = { verb: "change", object: changed, from: object } as const;
      await assert.rejects(
        kernel.apply([forth], { failpoint: { operation: 0, when: "after", how: "error" } }),
      );
      assert.deepEqual(await state(), canonical([...surroundings, object]));
      await kernel.apply([forth]);
      assert.deepEqual(await state(), canonical([...surroundings, changed]));
      await kernel.apply([{ verb: "change", object, from: changed }]);
      assert.deepEqual(await state(), canonical([...surroundings, object]));
    },
  };
}

function specimenAt(all: readonly Specimen[], index: number): Specimen {
  const specimen = all[index];
  assert.ok(specimen);
  return specimen;
}
