import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { stringify } from "yaml";
import { validateWire } from "../../forwarder/plan/validate.ts";
import {
  clientDocument,
  providerDocument,
  serviceDocument,
  wireDocument,
} from "../../../fixtures/documents/documents.ts";
import { parseLab } from "./parse.ts";
import { topology } from "../topology/topology.ts";

/** Parses a text and checks the invariants of the result. Returns whether it is a lab. */
function parse(text: string): boolean {
  const result = parseLab(text, "x.yaml");
  if (result.ok) {
    for (const { wire } of topology(result.lab).wires) assert.deepEqual(validateWire(wire), [], text);
    return true;
  }
  assert.ok(result.problems.length > 0);
  for (const { line, column, message } of result.problems) {
    assert.ok(
      line >= 1 && column >= 1 && line <= text.split(/\r\n|\r|\n/).length + 1,
      `${line}:${column} of ${JSON.stringify(text)}`,
    );
    assert.ok(message.length > 0 && !message.includes("[object") && !message.includes("undefined"), message);
  }
  return false;
}

const words = fc.constantFrom(
  "apiVersion",
  "kind",
  "metadata",
  "spec",
  "name",
  "hosts",
  "routers",
  "links",
  "Wire",
  "ends",
  "subnets",
  "addresses",
  "mtu",
  "rate",
  "delay",
  "loss",
  "client",
  "endpoint",
  "routes",
  "policyRoutes",
  "agents",
  "registry",
  "Lab",
  "vni",
  "underlay",
  "workloads",
  "alpha",
  "beta",
  "alpha/web",
  "beta/app",
  "beta/app/x",
  "10.0.0.0/24",
  "fd00::/64",
  "10.0.0.1",
  "dual",
  "ipv4",
  "100mbit",
  "1%",
  "5ms",
  "",
  "__proto__",
  "constructor",
  "null",
  "~",
);
const values = fc.oneof(
  { maxDepth: 4 },
  words,
  fc.integer(),
  fc.double(),
  fc.boolean(),
  fc.constant(null),
  fc.string(),
);

const mostly = <T>(right: fc.Arbitrary<T>) => fc.oneof({ weight: 15, arbitrary: right }, values);

const hosts = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.constant({ alpha: { workloads: ["web", "db"] }, beta: { workloads: ["app"] } }),
  },
  fc.dictionary(words, fc.oneof(values, fc.record({ workloads: fc.array(words) }))),
);
const links = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.constant(["alpha", "beta"]) },
    values,
    fc.record(
      {
        ends: fc.oneof(fc.constant(["alpha", "beta"]), fc.array(words)),
        subnets: fc.array(words),
        addresses: fc.dictionary(words, fc.array(words)),
        mtu: values,
        rate: values,
        delay: values,
      },
      { requiredKeys: [] },
    ),
  ),
  { minLength: 1, maxLength: 2 },
);
/** Wires beside a lab. */
const wires = fc
  .array(
    mostly(
      fc.record(
        {
          client: fc.constantFrom("alpha/web", "alpha/db/x", "beta/app"),
          endpoint: fc.constantFrom("beta/app", "alpha/db", "beta/app/x"),
          addresses: fc.oneof(words, fc.record({ client: fc.array(words), endpoint: fc.array(words) })),
          routes: fc.record({ client: fc.array(values), endpoint: fc.array(values) }, { requiredKeys: [] }),
          policyRoutes: fc.array(fc.dictionary(words, values), { maxLength: 2 }),
          mtu: fc.oneof(fc.integer({ min: 60, max: 1600 }), values),
          vni: fc.oneof(fc.integer({ min: 0, max: 3 }), values),
          underlay: words,
        },
        { requiredKeys: ["client", "endpoint"] },
      ),
    ),
    { maxLength: 4 },
  )
  .map((specs) => specs.map((spec, i) => ({ ...wireDocument(`wire-${i}`, {}), spec })));
const routers = mostly(fc.array(words, { maxLength: 1 }));

function labsOf(spec: fc.Arbitrary<object>) {
  return fc.record({
    apiVersion: mostly(fc.constant("netloom.dev/v1alpha1")),
    kind: mostly(fc.constant("Lab")),
    metadata: mostly(fc.record({ name: mostly(fc.constant("lab")) })),
    spec: mostly(spec),
  });
}

const labsOfWires = labsOf(fc.record({ hosts, routers, links }, { requiredKeys: ["hosts"] }));
const agents = mostly(fc.constant(true));
const registry = mostly(fc.constant("alpha"));
const labsOfAgents = labsOf(
  fc.record({ hosts, routers, links, agents, registry }, { requiredKeys: ["hosts", "links", "agents"] }),
);

/** Documents beside a lab. */
const documents = fc.array(
  mostly(
    fc.oneof(
      fc
        .record(
          { workload: mostly(fc.constant("alpha/web")), service: words, via: fc.array(words) },
          { requiredKeys: ["workload", "service"] },
        )
        .map((spec) => clientDocument("web", spec)),
      fc
        .record(
          { workload: mostly(fc.constant("beta/app")), services: fc.array(words), pools: fc.array(words) },
          { requiredKeys: ["workload", "services"] },
        )
        .map((spec) => providerDocument("db", spec)),
      fc
        .record({ "netloom.dev/host": mostly(fc.constant("beta")), note: words }, { requiredKeys: [] })
        .map((annotations) => ({ ...serviceDocument("db", {}), metadata: { name: "db", annotations } })),
    ),
  ),
  { maxLength: 2 },
);

const files = fc.oneof(
  fc.tuple(labsOfWires, fc.oneof({ weight: 9, arbitrary: wires }, documents)),
  fc.tuple(labsOfAgents, documents),
);

test("any text gives a lab or a list of problems", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.string({ unit: "binary" }),
        fc.string({ unit: fc.constantFrom(..."ab:-[]{},&*!?|>'\"\n  #%@`~".split("")) }),
      ),
      (text) => void parse(text),
    ),
    { numRuns: 1000 },
  );
});

test("any YAML value gives a lab or a list of problems", () => {
  fc.assert(
    fc.property(fc.anything({ withNullPrototype: false, maxDepth: 4, key: words }), (value) => {
      let text: string;
      try {
        text = stringify(value ?? null);
      } catch {
        return;
      }
      parse(text);
    }),
    { numRuns: 300 },
  );
});

test("a text close to a lab gives a lab with a topology, or a list of problems", () => {
  let count = 0;
  fc.assert(
    fc.property(files, ([lab, others]) => {
      const beside = others.map((each) => `---\n${stringify(each)}`);
      if (parse(`${stringify(lab)}${beside.join("")}`)) count++;
    }),
    { numRuns: 1000 },
  );
  assert.ok(count > 20, `${count} of them are labs`);
});

test("deeply nested text and multiplying aliases are refused", () => {
  parse("[".repeat(100_000));
  parse("- ".repeat(20_000));
  parse(`a: &a [x,x]\nb: &b [${"*a,".repeat(50)}]\nc: &c [${"*b,".repeat(50)}]\nd: [${"*c,".repeat(50)}]\n`);
});
