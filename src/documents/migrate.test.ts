/** Files of release 0.1.0 become files of this version. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { FORMER_FILES } from "../../fixtures/documents/former-files.ts";
import { parseLab } from "../lab/file/parse.ts";
import { formatProblem } from "../text/problem.ts";
import { DOCUMENTS } from "./documents.ts";
import { migrateText } from "./migrate.ts";

function migrated(text: string) {
  const result = migrateText(text, "x.yaml");
  assert.ok(result.ok, result.ok ? "" : result.problems.map(formatProblem).join("\n"));
  return result;
}

/** All problems of a file of this version. */
function problemsOf(text: string): string[] {
  const read = /^kind: Lab$/m.test(text) ? parseLab(text, "x.yaml") : DOCUMENTS.parse(text, "x.yaml");
  return read.ok ? [] : read.problems.map(formatProblem);
}

suite("a file of release 0.1.0 is converted", () => {
  for (const [title, before, after] of FORMER_FILES)
    test(title, () => {
      const { text, converted, notes } = migrated(before);
      assert.equal(text, after);
      assert.ok(converted > 0);
      assert.deepEqual(notes, []);
      assert.deepEqual(problemsOf(text), []);
      assert.deepEqual(migrated(text), { ok: true, text, converted: 0, notes: [] });
    });

  test("the converted documents are counted", () => {
    assert.deepEqual(
      ["a service with a name alone", "a lab whose attachments share parts", "a lab without attachments"].map(
        (title) => migrated(FORMER_FILES.find(([each]) => each === title)?.[1] ?? "").converted,
      ),
      [1, 3, 4],
    );
  });
});

suite("parts that this version does not know", () => {
  const PROVIDER = "kind: Expose\nname: db\nworkload: { pid: 1 }\nservices: [db]\n";

  test("name servers are left out, and a note reports it", () => {
    const { text, notes } = migrated(
      `${PROVIDER}# name servers\ndns:\n  - servers: [10.0.0.1] # one\n# more\nmtu: 1400\n`,
    );
    assert.equal(
      text,
      "apiVersion: netloom.dev/v1alpha1\nkind: NetworkServiceProvider\nmetadata: { name: db }\nspec:\n" +
        "  workload: { pid: 1 }\n  services: [db]\n  # more\n  mtu: 1400\n",
    );
    assert.deepEqual(notes, ["dns of db is left out: no agent sets name servers in its workloads yet"]);
    assert.deepEqual(problemsOf(text), []);
  });

  test("labels for which an address has no room stay, and reading the document reports them", () => {
    const { text } = migrated(`${PROVIDER}labels: { app: db, site: ${"ü".repeat(700)} }\n`);
    assert.match(text, /^metadata: \{ name: db, labels: \{ app: db, site: ü+ \} \}$/m);
    assert.match(problemsOf(text).join("\n"), /^x\.yaml:3:48: metadata\.labels\.site: "ü+…" does not fit/);
  });
});

suite("a file that is not converted", () => {
  for (const [title, text] of [
    ["documents of this version", FORMER_FILES[0]?.[2] ?? ""],
    ["nothing", ""],
    ["comments", "# nothing\n---\n# here\n"],
    ["a list", "- kind: Connect\n  name: a\n"],
    ["another program's", "kind: Deployment\nname: web\nspec: {}\n"],
  ] as const)
    test(`stays unchanged: ${title}`, () =>
      assert.deepEqual(migrated(text), { ok: true, text, converted: 0, notes: [] }));

  for (const [title, text, problem] of [
    ["what is not YAML", "kind: Connect\nname: [\n", /^x\.yaml:3:1: not YAML: /],
    [
      "a document of several",
      "kind: Connect\nname: a\n---\na: *b\n",
      /^x\.yaml:4:4: the alias \*b has no anchor/,
    ],
    [
      "a key that appears twice",
      "kind: Connect\nname: a\nname: b\n",
      /^x\.yaml:3:1: the key "name" appears twice/,
    ],
    [
      "aliases that multiply",
      `kind: Connect\nname: &a [${"x,".repeat(40)}]\nb: &b [${"*a,".repeat(40)}]\nc: [${"*b,".repeat(40)}]\n`,
      /^x\.yaml:1:1: the file cannot be read: too many aliases/,
    ],
    [
      "a part that contains itself",
      "kind: NetworkService\nname: b\n---\nkind: Connect\nname: a\nvia: &a [*a]\n",
      /^x\.yaml:4:1: a part of this contains itself$/,
    ],
    [
      "attachments that are not a list",
      "name: a\nhosts: { a: }\nattachments: { kind: Connect }\n",
      /^x\.yaml:3:14: attachments: expected a list$/,
    ],
    [
      "an attachment of an unknown kind",
      "name: a\nhosts: { a: }\nattachments:\n  - { kind: Connect, name: b }\n  - { kind: Conect, name: c }\n",
      /^x\.yaml:5:5: attachments\[1\]: this is not a document of release 0\.1\.0: such a document has a kind \(NetworkService, Connect, Expose or Function\) and a name$/,
    ],
    [
      "an attachment without a name",
      "name: a\nhosts: { a: }\nattachments: [{ kind: Connect }]\n",
      /^x\.yaml:3:15: /,
    ],
  ] as const)
    test(`is refused with its place: ${title}`, () => {
      const result = migrateText(text, "x.yaml");
      assert.ok(!result.ok);
      assert.match(result.problems.map(formatProblem).join("\n"), problem);
    });
});
