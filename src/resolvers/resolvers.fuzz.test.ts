/** Workload names in documents and on the command line, for every resolver. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import fc from "fast-check";
import type { AskedHost } from "./resolver.ts";
import { RESOLVERS } from "./resolvers.ts";
import { workloadSchema } from "./schema.ts";
import {
  checkWorkload,
  readWorkloadText,
  workloadForms,
  workloadKey,
  workloadLabel,
  workloadText,
} from "./workload-ref.ts";

const schema = workloadSchema();
const word = fc.stringMatching(/^[a-z0-9:/.-]{0,12}$/);
const texts = fc.oneof(
  word,
  fc.string(),
  fc.tuple(word, word, word).map((parts) => parts.join("/")),
);
const asked: fc.Arbitrary<AskedHost> = fc.record({ lab: word, host: word }, { requiredKeys: [] });

suite("a workload on the command line", () => {
  test("is one that a document may name, or is refused, for any text", () => {
    fc.assert(
      fc.property(texts, asked, (text, options) => {
        const written = readWorkloadText(text, options);
        if (!written || !schema.safeParse(written.ref).success) return;
        for (const { path } of checkWorkload(written.ref, ["workload"])) assert.equal(path[0], "workload");
        assert.equal(typeof workloadKey(written.ref), "string");
        assert.notEqual(workloadText(written.ref), "");
        assert.equal(typeof workloadLabel(written.ref), "string");
      }),
      { numRuns: 1000 },
    );
  });

  for (const { type, spellings } of RESOLVERS)
    for (const { form } of spellings)
      test(`is read as ${type} if it has the form of the help text: ${form("web")}`, () => {
        const { ref } = readWorkloadText(form("web"), {}) ?? assert.fail("no resolver reads it");
        assert.deepEqual(Object.keys(ref), [type]);
        assert.deepEqual(schema.parse(ref), ref);
        assert.deepEqual(checkWorkload(ref, []), []);
      });

  test("is listed with every form in help", () => {
    assert.equal(workloadForms("web"), "/run/netns/web, web, pid:4711, lab/host/workload or port:tap0");
  });
});

suite("resolvers", () => {
  test("have keys and a first spelling of their own", () => {
    const types = RESOLVERS.map(({ type }) => type);
    assert.equal(new Set(types).size, types.length);
  });

  test("agree that a lab's workload is the namespace at its path", () => {
    assert.equal(
      workloadKey({ lab: "two/alpha/web" }),
      workloadKey({ netns: "/run/netns/nl-two-alpha-web" }),
    );
    assert.notEqual(workloadKey({ pid: 1 }), workloadKey({ pid: 2 }));
  });
});
