/** Every number that passes the check of a document fits into the kernel's field for it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { stringify } from "yaml";
import { firstWire } from "../../documents/fragments/first-wire.ts";
import { DOCUMENTS } from "../../documents/documents.ts";
import type { ProviderSpec } from "../../documents/provider/spec.ts";
import { plan } from "../../forwarder/plan/plan.ts";
import { newVeth, newVxlan } from "../../linux/netlink/link.ts";
import { newAddress } from "../../linux/netlink/address.ts";
import { newNeighbor } from "../../linux/netlink/neighbor.ts";
import { replaceQdisc } from "../../linux/netlink/qdisc.ts";
import { newRoute } from "../../linux/netlink/route.ts";
import { newRule } from "../../linux/netlink/rule.ts";
import type { KernelObject } from "../../kernel/kernel.ts";
import type { ObjectKindName, ObjectOf } from "../../kernel/objects.ts";
import { labText, providerDocument } from "../../../fixtures/documents/documents.ts";
import { parseLab } from "./parse.ts";
import { topology } from "../topology/topology.ts";

const place = { index: 1, group: 0x4e4c0000 };

const target = { linkIndex: 1, protocol: 78 };

/** Encodes kernel objects to bytes, for kinds that are netlink messages. Throws for a number that does not fit. */
const ENCODERS: { readonly [K in ObjectKindName]?: (object: ObjectOf<K>) => unknown } = {
  veth: ({ ends: [a, b] }) => newVeth({ ...a, ...place }, { ...b, ...place }),
  vxlan: (object) => newVxlan({ ...object, ...place }, object),
  address: (object) => newAddress({ ...object, ...target }),
  route: (object) => newRoute({ ...object, ...target }),
  rule: (object) => newRule({ ...object, ...target }),
  neighbor: (object) => newNeighbor({ ...object, ...target }),
  qdisc: (object) => replaceQdisc({ ...object, ...target }),
  up: () => undefined,
  program: () => undefined,
  sysctl: () => undefined,
};

function encode(object: KernelObject): void {
  const say = ENCODERS[object.kind] as ((object: KernelObject) => unknown) | undefined;
  assert.ok(say, `no encoder for ${object.kind} objects`);
  say(object);
}

const edges = [0, 1, 67, 68, 1279, 1280, 65_535, 65_536, 2 ** 24, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53];
const number = fc.oneof(fc.constantFrom(...edges), fc.nat(), fc.maxSafeInteger(), fc.nat(4000));
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined, freq: 1 });
/** A number, usually in its range. */
const near = (min: number, max: number) =>
  fc.oneof({ weight: 4, arbitrary: fc.integer({ min, max }) }, { weight: 1, arbitrary: number });

const amount = fc.oneof(
  { weight: 6, arbitrary: fc.nat(1000).map(String) },
  number.map(String),
  fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }).map((value) => value.toFixed(3)),
  fc.constantFrom("9".repeat(400), "0.0000001"),
);
const measure = (...units: string[]) =>
  fc.tuple(amount, fc.constantFrom(...units)).map(([value, unit]) => value + unit);
const ports = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 65_535 }) },
  number,
  fc.tuple(number, number).map(([first, last]) => `${first}-${last}`),
);
const policyRoutes = fc.array(
  fc.record(
    { protocol: fc.constantFrom("tcp", "udp", "icmp"), sourcePorts: ports, destinationPorts: ports },
    { requiredKeys: [] },
  ),
  { maxLength: 3 },
);
const prefixes = fc.array(
  fc.oneof(
    { weight: 9, arbitrary: fc.nat(250).map((n) => `10.${n}.0.0/16`) },
    fc.tuple(fc.ipV4(), fc.nat(33)).map(([address, length]) => `${address}/${length}`),
    fc.tuple(fc.ipV6(), fc.nat(129)).map(([address, length]) => `${address}/${length}`),
    fc.constantFrom("10.0.0.0/24", "fd00::/64", "0.0.0.0/0", "::/0", "240.0.0.0/4"),
  ),
  { maxLength: 3 },
);
const labs = fc.record({
  hosts: fc.constant({ alpha: { workloads: ["web"] }, beta: { workloads: ["app"] } }),
  links: fc.tuple(
    fc.record({
      ends: fc.constant(["alpha", "beta"]),
      mtu: maybe(near(1280, 65_535)),
      rate: maybe(measure("bit", "kbit", "mbit", "gbit")),
      delay: maybe(measure("us", "ms", "s")),
      loss: maybe(measure("%")),
    }),
  ),
  wires: fc.tuple(
    fc.record({
      client: fc.constant("alpha/web"),
      endpoint: fc.constant("beta/app"),
      addresses: maybe(fc.constantFrom("ipv4", "ipv6")),
      mtu: maybe(near(1280, 65_535)),
      vni: maybe(near(1, 16_777_215)),
      policyRoutes: maybe(policyRoutes),
      routes: maybe(fc.record({ client: prefixes, endpoint: prefixes })),
    }),
  ),
});

const offers = fc.record({
  workload: fc.record({ pid: fc.oneof(fc.constant(1), number) }),
  services: fc.constant(["db"]),
  pools: maybe(prefixes),
  mtu: maybe(near(1280, 65_535)),
  policyRoutes: maybe(policyRoutes),
  routes: maybe(fc.record({ client: prefixes, endpoint: prefixes })),
});

test("the numbers of a valid lab file fit into the kernel's fields", () => {
  let passed = 0;
  fc.assert(
    fc.property(labs, (spec) => {
      const result = parseLab(labText("lab", spec), "x.yaml");
      if (!result.ok) return;
      passed++;
      const { underlay, wires } = topology(result.lab);
      for (const object of [...underlay.objects, ...wires.flatMap(({ wire }) => plan(wire).objects)])
        encode(object);
    }),
    { numRuns: 250 },
  );
  assert.ok(passed > 10, `${passed} of them passed the check`);
});

test("every rate that passes the check fits into the kernel's fields", () => {
  fc.assert(
    fc.property(fc.integer({ min: 8, max: 1_000_000_000 }), (kbit) => {
      const text = `apiVersion: netloom.dev/v1alpha1\nkind: Lab\nmetadata: { name: lab }\nspec:\n  hosts: { a: , b: }\n  links: [{ ends: [a, b], rate: ${kbit}kbit }]\n`;
      const result = parseLab(text, "x.yaml");
      assert.ok(result.ok);
      for (const object of topology(result.lab).underlay.objects) encode(object);
    }),
    { examples: [[8], [34_359_738], [600_000_000], [1_000_000_000]], numRuns: 100 },
  );
});

test("the numbers of a valid provider fit into the kernel's fields", () => {
  let passed = 0;
  fc.assert(
    fc.property(offers, (offer) => {
      const text = stringify(providerDocument("db", offer), { keepUndefined: false });
      const result = DOCUMENTS.parse(text, "x.yaml");
      if (!result.ok) return;
      passed++;
      const [spec] = result.specs;
      assert.ok(spec);
      const { document: checked, pools } = spec as ProviderSpec;
      // Without pools the addresses come from the client.
      if (pools.length > 0)
        for (const object of plan(firstWire({ name: "db", ...checked.spec })).objects) encode(object);
    }),
    { numRuns: 250 },
  );
  assert.ok(passed > 10, `${passed} of them passed the check`);
});
