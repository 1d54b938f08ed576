/**
 * More of docs/internals/extending.md, carried out in a copy of the tree: a store, a trace exporter, and an element of
 * a chain, each one folder (or file) and one line of a list.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { LAB_WORDS } from "../../src/identity/identities.ts";
import { HouseCopy } from "./house-copy.ts";

const TOY_STORE = `import type { StoreKind } from "../store-kind.ts";

/** A store with a name, lost when its process ends. */
export const toyKind: Readonly<StoreKind> = {
  scheme: "toy",
  spelling: "toy:NAME",
  rest: "[a-z]+",
  isShared: false,
  open: async (_name, { world }) => {
    const { MemoryStore } = await import("../memory/memory-store.ts");
    return { store: new MemoryStore(world), close: () => Promise.resolve() };
  },
};
`;

const TOY_EXPORTER = `import { appendFileSync } from "node:fs";
import type { ExporterKind } from "../exporter-kind.ts";

/** Names of spans, one per line. */
export const toyKind: Readonly<ExporterKind> = {
  scheme: "names",
  spelling: "names:PATH",
  rest: ".+",
  open: (path) =>
    Promise.resolve({
      export: ({ name }) => appendFileSync(path, \`\${name}\\n\`),
      close: () => Promise.resolve(),
    }),
};
`;

const TOY_ELEMENT = `import { type ConnectionElement, contextOf } from "../connection.ts";

/** Makes wires narrow. */
export function narrow(): ConnectionElement {
  return {
    name: "narrow",
    async request(_call, request, next) {
      const answer = await next(request);
      contextOf(answer).MTU = 1300;
      return answer;
    },
  };
}
`;

test("a store, and a trace exporter", async (t) => {
  const house = new HouseCopy(t);
  house.write("src/store/toy/toy-kind.ts", TOY_STORE);
  house.extend(
    "src/store/stores.ts",
    'import { toyKind } from "./toy/toy-kind.ts";',
    "[memoryKind, sqliteKind]",
    "[memoryKind, sqliteKind, toyKind]",
  );
  house.write("src/exporters/names/names-kind.ts", TOY_EXPORTER);
  house.extend(
    "src/exporters/exporters.ts",
    'import { toyKind } from "./names/names-kind.ts";',
    "[fileKind]",
    "[fileKind, toyKind]",
  );
  house.check();
  await house.makeDocs();
  assert.match(house.read("docs/reference/cli.md"), /toy:NAME/);
  assert.match(house.read("docs/reference/cli.md"), /file:PATH, or names:PATH/);
  assert.match((await house.netloom("registry", "--help")).stdout, /or toy:NAME/);
  const wrong = await house.netloom("registry", ...LAB_WORDS, "--store", "toy:9");
  assert.match(wrong.stderr, /--store "toy:9": there is no such store[^]+or toy:NAME/);
  const spans = house.path("spans");
  const socket = `unix://${house.path("registry.sock")}`;
  const registry = spawn(
    house.path("bin/netloom"),
    ["registry", ...LAB_WORDS, "--store", "toy:one", "--trace", `names:${spans}`, "--listen", socket],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  const ended = once(registry, "exit");
  t.after(() => registry.kill("SIGKILL"));
  const [ready] = (await once(createInterface({ input: registry.stdout }), "line")) as [string];
  assert.equal(ready, `ready: registry serves ${socket}`);
  const asked = await house.node("e2e/extending/extending-register.ts", socket);
  assert.deepEqual(asked, { code: 0, stdout: "", stderr: "" });
  registry.kill("SIGTERM");
  await ended;
  assert.match(readFileSync(spans, "utf8"), /^register service$/m);
});

test("an element of a chain", async (t) => {
  const house = new HouseCopy(t);
  house.write("src/elements/context/narrow.ts", TOY_ELEMENT);
  house.extend(
    "src/roles/forwarder.ts",
    'import { narrow } from "../elements/context/narrow.ts";',
    "      wire(options.wires),\n",
    "      wire(options.wires),\n      narrow(),\n",
  );
  house.check();
  house.write(
    "db.yaml",
    "apiVersion: netloom.dev/v1alpha1\nkind: NetworkServiceProvider\nmetadata: { name: db }\nspec:\n  workload: { netns: /run/netns/b }\n  services: [db]\n  pools: [10.0.0.0/24]\n",
  );
  const [, connected, status] = await house.mesh({
    namespaces: ["/run/netns/a", "/run/netns/b"],
    commands: [
      { host: "beta", args: ["apply", "-f", "db.yaml", "--wait", "30"] },
      { host: "alpha", args: ["connect", "/run/netns/a", "db", "--interface", "to-db", "--wait", "30"] },
      { host: "alpha", args: ["status"] },
    ],
  });
  assert.equal(connected?.code, 0, connected?.stdout);
  assert.match(status?.stdout ?? "", /alpha\/a\/to-db .* 1300 +up /);
});
