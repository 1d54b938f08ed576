import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { question } from "../policy/authorize.ts";
import { SELF } from "../world/peer.ts";
import { peerNamed } from "../../fixtures/world/peer.ts";
import { Worlds } from "../../fixtures/elements/world.ts";
import { chooseIdentity, IDENTITIES, LAB_IDENTITY, LAB_WORDS, loadIdentity } from "./identities.ts";
import type { IdentityKind } from "./identity-kind.ts";
import { labIdentity } from "./lab-identity.ts";

const kindNamed = (name: string): IdentityKind => ({
  ...LAB_IDENTITY,
  name,
  option: { flags: `--${name} <file>`, description: "of a test" },
  hint: `say --${name}`,
});

test("choosing no identity is an error that lists all kinds", () => {
  const kinds = [kindNamed("one"), kindNamed("two")];
  assert.throws(() => chooseIdentity("run it", () => undefined, kinds), {
    code: "FAILED_PRECONDITION",
    topic: "NL-703",
    message: "run it: there is no identity to prove who is there",
    hint: "say --one; say --two",
  });
  assert.throws(() => chooseIdentity("run it", () => true, kinds), { code: "INVALID_ARGUMENT" });
  const given = ({ name }: IdentityKind) => (name === "two" ? "x.pem" : undefined);
  const chosen = chooseIdentity("run it", given, kinds);
  assert.deepEqual([chosen.kind.name, chosen.value], ["two", "x.pem"]);
});

test("the words of a lab select its identity", () => {
  const given = ({ option }: IdentityKind) => LAB_WORDS.includes(option.flags);
  assert.equal(chooseIdentity("run it", given).kind, LAB_IDENTITY);
});

test("an identity decides by the rules that hold everywhere, and by its own", async () => {
  const worlds = new Worlds();
  const world = worlds.world("alpha");
  const values: (string | undefined)[] = [];
  const kind: IdentityKind = {
    ...LAB_IDENTITY,
    load: async () => {
      const load = await LAB_IDENTITY.load();
      const rule = {
        name: "own",
        refusal: () => ({ code: "UNAUTHENTICATED", reason: "no token" }) as const,
      };
      return (options) => {
        values.push(options.value);
        return { ...load(options), rules: [rule] };
      };
    },
  };
  const { authorize } = (await loadIdentity({ kind, value: "x.pem" }))({ world });
  const wire = { kind: "wire", id: "w1", owner: SELF.principal } as const;
  assert.equal(authorize(question(peerNamed("tcp:1"), "request", wire))?.rule, "owned");
  assert.equal(authorize(question(SELF, "request", wire))?.rule, "own");
  assert.equal(labIdentity(world).authorize(question(SELF, "request", wire)), undefined);
  assert.deepEqual(values, ["x.pem"]);
});

test("no file names a kind of identity except the list and the kind's folder", () => {
  const root = new URL("../../", import.meta.url);
  const files = globSync(["src/**/*.ts", "e2e/**/*.ts", "bench/*.ts", "interop/*.ts", "scripts/*.ts"], {
    cwd: root,
  });
  assert.ok(files.length > 500);
  for (const { name } of IDENTITIES) {
    const naming = files.filter(
      (file) =>
        !file.startsWith(`src/identity/${name}/`) &&
        new RegExp(`\\b${name}`, "i").test(readFileSync(new URL(file, root), "utf8")),
    );
    assert.deepEqual(naming, ["src/identity/identities.ts"]);
  }
});
