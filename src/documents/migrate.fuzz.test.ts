/** A converted file of release 0.1.0 has the same meaning, for any content and any style of writing. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Document, isCollection, isNode, isPair, visit } from "yaml";
import type { Document as NetloomDocument } from "../attachments/spec.ts";
import { parseLab } from "../lab/file/parse.ts";
import { formatProblem } from "../text/problem.ts";
import { readYamlStream } from "../text/source-map.ts";
import { DOCUMENTS } from "./documents.ts";
import { toFormer } from "./former.ts";
import { migrateText } from "./migrate.ts";

const word = fc.constantFrom(
  "web",
  "db",
  "source_selector",
  "sourceSelector",
  "policies",
  "true",
  "12",
  "a.b",
);
const labels = fc.dictionary(word, fc.constantFrom("web", "no", "1", ""), {
  minKeys: 1,
  maxKeys: 3,
  noNullPrototype: true,
});
/** Two attachments may share one object. */
const prefixes = fc.constantFrom(["10.0.0.0/24"], ["10.1.0.0/16", "fd00::/64"]);
const name = fc.constantFrom("web", "db", "shop-1", "true", "1.2");

function optional<T>(part: Record<string, fc.Arbitrary<T>>) {
  return fc.record(part, { requiredKeys: [], noNullPrototype: true });
}

function documents(workload: fc.Arbitrary<unknown>, extra: Record<string, fc.Arbitrary<string>> = {}) {
  const of = (
    kind: string,
    required: Record<string, fc.Arbitrary<unknown>>,
    more: Record<string, fc.Arbitrary<unknown>>,
  ) =>
    fc
      .tuple(fc.record({ name, ...required }, { noNullPrototype: true }), optional(more), fc.boolean())
      .map(([own, others, isFirst]) => ({
        ...(isFirst && { kind }),
        ...own,
        ...others,
        ...(!isFirst && { kind }),
      }));
  return fc.oneof(
    of(
      "NetworkService",
      {},
      {
        ...extra,
        payload: fc.constantFrom("IP", "ETHERNET"),
        matches: fc.array(
          optional<unknown>({
            sourceSelector: labels,
            fallthrough: fc.boolean(),
            routes: fc.array(optional<unknown>({ destinationSelector: labels, weight: fc.nat(9) }), {
              maxLength: 2,
            }),
            metadata: optional({ labels }),
          }),
          { maxLength: 2 },
        ),
      },
    ),
    of(
      "Connect",
      { workload, service: fc.constantFrom("db", "kernel://db?x=a%20b") },
      {
        labels,
        excludedPrefixes: prefixes,
        endpoint: word,
      },
    ),
    of(
      "Expose",
      { workload, services: fc.constantFrom(["db"], ["db", "kernel://mail?a=b%20c"]) },
      {
        labels,
        pools: prefixes,
        policies: fc.constant([{ protocol: "tcp", destinationPorts: 80 }]),
        mtu: fc.constant(1400),
      },
    ),
    of(
      "Function",
      { workload, service: fc.constant("chain"), type: fc.constant("passthrough"), labels, pools: prefixes },
      {
        excludedPrefixes: fc.constant([]),
      },
    ),
  );
}

const labs = fc
  .record({
    name: fc.constantFrom("lab", "shop"),
    attachments: fc.uniqueArray(
      documents(fc.constantFrom("alpha/web", "beta/db"), { host: fc.constantFrom("alpha", "beta") }),
      {
        maxLength: 4,
        selector: (each) => `${String(each["kind"])} ${each.name}`,
      },
    ),
    isEnd: fc.boolean(),
  })
  .map(({ name, attachments, isEnd }) => ({
    ...(!isEnd && { attachments }),
    name,
    hosts: { alpha: { workloads: ["web"] }, beta: { workloads: ["db"] } },
    links: [["alpha", "beta"]],
    agents: true,
    ...(isEnd && { attachments }),
  }));

const labsOfWires = fc.record({
  name: fc.constant("lab"),
  hosts: fc.constant({ alpha: { workloads: ["web", "app"] }, beta: { workloads: ["db"] } }),
  links: fc.constant([["alpha", "beta"]]),
  wires: fc.array(
    fc.record(
      {
        client: fc.constantFrom("alpha/web", "alpha/app"),
        endpoint: fc.constant("beta/db"),
        policies: fc.constant([{ protocol: "tcp", destinationPorts: 80 }]),
        mtu: fc.constant(1400),
      },
      { requiredKeys: ["client", "endpoint"] },
    ),
    { minLength: 1, maxLength: 4 },
  ),
});

/** The style of a text: a random number for each of its parts. */
const look = fc.infiniteStream(fc.nat(99));

/** Chooses brackets, comments and empty lines at random. Each comment is a different word. */
function writer(draw: Iterator<number>): (data: object) => string {
  const next = (): number => Number(draw.next().value);
  let count = 0;
  return (data) => written(data, next, () => ` c${count++}.`);
}

function written(data: object, next: () => number, comment: () => string): string {
  const document = new Document(data);
  visit(document, {
    Node: (place, node) => {
      if (isCollection(node)) node.flow = next() < 30;
      // The library writes a wrong text if a comment stands between a key and an empty value.
      const isEmpty = isCollection(node) && node.items.length === 0;
      const isKey = place === "key";
      if (node !== document.contents && !isEmpty && !isKey && next() < 15) node.comment = comment();
    },
    Pair: (_, { key }) => {
      if (!isNode(key)) return;
      if (next() < 15) key.commentBefore = next() < 50 ? comment() : `${comment()}\n\n${comment()}`;
      if (next() < 15) key.spaceBefore = true;
    },
    Seq: (_, { items }) => {
      for (const item of items)
        if (isNode(item) && !isPair(item) && next() < 15) item.commentBefore = comment();
    },
  });
  if (next() < 20) document.commentBefore = comment();
  if (next() < 20) document.comment = comment();
  const text = document.toString({
    lineWidth: next() < 50 ? 0 : 40,
    indentSeq: next() < 50,
    flowCollectionPadding: next() < 50,
  });
  return next() < 20 ? text.replaceAll("\n", "\r\n") : text;
}

/** Each comment once: a part that an alias stood for may be there twice. */
function commentsIn(text: string): string[] {
  return [...new Set(text.match(/\bc[0-9]+\./g))].sort();
}

function migrated(text: string) {
  const result = migrateText(text, "x.yaml");
  assert.ok(result.ok, result.ok ? "" : `${result.problems.map(formatProblem).join("\n")}\n${text}`);
  return result;
}

function dataOf(text: string): NetloomDocument[] {
  return readYamlStream(text, "x.yaml").map(({ data }) => data as NetloomDocument);
}

/** The document of release 0.1.0 for a converted document. The order of its keys may differ. */
function former(document: NetloomDocument): object {
  const host = document.metadata.annotations?.["netloom.dev/host"];
  return { ...toFormer(document), ...(host !== undefined && { host }) };
}

test("converted documents have the meaning of the former ones", () => {
  const workload = fc.constantFrom<object>({ pid: 1 }, { netns: "/run/netns/web" });
  const files = fc.uniqueArray(documents(workload), {
    minLength: 1,
    maxLength: 3,
    selector: (each) => `${String(each["kind"])} ${each.name}`,
  });
  fc.assert(
    fc.property(files, look, (each, looks) => {
      const write = writer(looks);
      const text = each.map((data) => `---\n${write(data)}`).join("");
      const result = migrated(text);
      assert.equal(result.converted, each.length);
      assert.deepEqual(dataOf(result.text).map(former), each);
      assert.deepEqual(commentsIn(result.text), commentsIn(text), text);
      assert.equal(migrated(result.text).converted, 0);
      const read = DOCUMENTS.parse(result.text, "x.yaml");
      assert.ok(read.ok, read.ok ? "" : `${read.problems.map(formatProblem).join("\n")}\n${result.text}`);
    }),
    { numRuns: 300 },
  );
});

test("a converted lab has the meaning of the former one", () => {
  fc.assert(
    fc.property(labs, look, (lab, looks) => {
      const text = writer(looks)(lab);
      const result = migrated(text);
      const { attachments = [], name, ...spec } = lab;
      assert.equal(result.converted, attachments.length + 1);
      const [own, ...others] = dataOf(result.text);
      assert.deepEqual(own, { apiVersion: "netloom.dev/v1alpha1", kind: "Lab", metadata: { name }, spec });
      assert.deepEqual(others.map(former), attachments);
      assert.deepEqual(commentsIn(result.text), commentsIn(text), text);
      assert.equal(migrated(result.text).converted, 0);
      const read = parseLab(result.text, "x.yaml");
      assert.ok(read.ok, read.ok ? "" : `${read.problems.map(formatProblem).join("\n")}\n${result.text}`);
    }),
    { numRuns: 300 },
  );
});

test("a converted lab has the wires of the former one", () => {
  fc.assert(
    fc.property(labsOfWires, look, (lab, looks) => {
      const text = writer(looks)(lab);
      const result = migrated(text);
      const { wires, name, ...spec } = lab;
      assert.equal(result.converted, wires.length + 1);
      const [own, ...others] = dataOf(result.text);
      assert.deepEqual(own, { apiVersion: "netloom.dev/v1alpha1", kind: "Lab", metadata: { name }, spec });
      assert.deepEqual(
        others.map(({ kind, spec: wire }) => ({ kind, spec: wire })),
        wires.map(({ policies, ...wire }) => ({
          kind: "Wire",
          spec: { ...wire, ...(policies && { policyRoutes: policies }) },
        })),
      );
      assert.deepEqual(commentsIn(result.text), commentsIn(text), text);
      assert.equal(migrated(result.text).converted, 0);
      const read = parseLab(result.text, "x.yaml");
      assert.ok(read.ok, read.ok ? "" : `${read.problems.map(formatProblem).join("\n")}\n${result.text}`);
    }),
    { numRuns: 300 },
  );
});

test("any text is converted, or refused with a place", () => {
  const parts = fc.constantFrom(
    "kind: Connect\n",
    "kind: Expose\n",
    "kind: NetworkService\n",
    "name: a\n",
    "hosts: { a: }\n",
    "attachments:\n",
    "- { kind: Connect, name: b }\n",
    "  - kind: Expose\n    name: c\n",
    "labels: &l { a: b c }\n",
    "labels: *l\n",
    "service: &s db\n",
    "services: [*s, db]\n",
    "# c\n",
    "---\n",
    "--- # d\n",
    "...\n",
    "%YAML 1.2\n",
    "\n",
    "  ",
    "\t",
    "dns: [x]\n",
    "policies: [{ a: b }]\n",
    "? [x]\n",
    "? kind\n: Connect\n",
    "via: &v [*v]\n",
    "matches: [&m { sourceSelector: { a: b } }, *m]\n",
    "text: |+\n  a\n\n",
    "'",
    '"',
    "{",
    "}",
    "!!str ",
    "- ",
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.array(parts, { maxLength: 12 }).map((each) => each.join("")),
        fc.string(),
      ),
      (text) => {
        const result = migrateText(text, "x.yaml");
        if (result.ok) return assert.equal(migrated(result.text).converted, 0, text);
        assert.ok(result.problems.length > 0);
        assert.doesNotMatch(result.problems.map(formatProblem).join("\n"), /cannot rewrite this file/, text);
      },
    ),
    { numRuns: 2000 },
  );
});
