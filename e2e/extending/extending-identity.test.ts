/** docs/internals/extending.md on identities, carried out in a copy of the tree: one folder and one line of a list. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { LAB_WORDS } from "../../src/identity/identities.ts";
import { HouseCopy } from "./house-copy.ts";

const TOY_IDENTITY = `import type { PolicyRule } from "../../policy/rules.ts";
import type { IdentityKind } from "../identity-kind.ts";

const PROOF = { kind: "none" } as const;

const NO_TOYS: Readonly<PolicyRule> = {
  name: "no-toys",
  refusal: ({ action, resource }) =>
    action === "register" && resource.kind === "service" && resource.name === "toy"
      ? { code: "PERMISSION_DENIED", reason: "toys are not for this mesh" }
      : undefined,
};

/** Has a name, trusts everybody, and forbids toys. */
export const toyKind: Readonly<IdentityKind> = {
  name: "toy",
  option: { flags: "--call-me <word>", description: "a name, and nothing that proves it" },
  hint: "take a name with --call-me",
  load: () =>
    Promise.resolve(({ world: { clock }, value = "", lifetimeMs = 60_000 }) => ({
      summary: \`called \${value}\`,
      credentials: { name: "toy", announcement: \`as \${value}\`, current: () => PROOF },
      token: () => ({ text: "", expiresAtMs: clock.wallMs() + lifetimeMs }),
      tokenOf: () => undefined,
      rules: [NO_TOYS],
    })),
};
`;

test("an identity", async (t) => {
  const house = new HouseCopy(t);
  house.write("src/identity/toy/toy-kind.ts", TOY_IDENTITY);
  const list = house.read("src/identity/identities.ts");
  const [, entries = ""] = /^export const IDENTITIES = \[(.*)\] as const/m.exec(list) ?? [];
  house.extend(
    "src/identity/identities.ts",
    'import { toyKind } from "./toy/toy-kind.ts";',
    `[${entries}] as const`,
    `[${entries}, toyKind] as const`,
  );
  house.check();
  await house.makeDocs();
  assert.match(house.read("docs/reference/cli.md"), /--call-me <word> +a name, and nothing that proves it/);
  assert.match((await house.netloom("agent", "--help")).stdout, /--call-me <word>/);
  const none = await house.netloom("registry");
  assert.match(none.stderr, /there is no identity[^]+; take a name with --call-me/);
  const both = await house.netloom("registry", ...LAB_WORDS, "--call-me", "shop");
  assert.match(both.stderr, /a process is somebody in one way only/);
  const socket = `unix://${house.path("registry.sock")}`;
  const registry = spawn(house.path("bin/netloom"), ["registry", "--call-me", "shop", "--listen", socket]);
  const ended = once(registry, "exit");
  t.after(() => registry.kill("SIGKILL"));
  let said = "";
  registry.stderr.on("data", (text: Buffer) => (said += text.toString()));
  await once(createInterface({ input: registry.stdout }), "line");
  const refused = await house.node("e2e/extending/extending-register.ts", socket);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /register service toy of \S+: toys are not for this mesh/);
  registry.kill("SIGTERM");
  await ended;
  assert.match(said, /listening on \S+ as shop/);
});
