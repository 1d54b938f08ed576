/** The registries of a lab: their hosts, their store, and their addresses for agents. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { daemonsOf } from "./daemons.ts";
import { mustParseLab, parseLab } from "./file/parse.ts";

const FRAME = `apiVersion: netloom.dev/v1alpha1
kind: Lab
metadata: { name: web }
spec:
  hosts: { alpha: , beta: , gamma: }
  routers: [r1]
  links:
    - { ends: [alpha, r1], subnets: [10.1.0.0/24] }
    - { ends: [beta, r1], subnets: [10.2.0.0/24] }
    - { ends: [gamma, r1], subnets: [10.3.0.0/24] }
  agents: true
`;

/** The values of an option in a process's command line. */
function optionsOf(text: string, kind: "agent" | "registry", host: string, option: string): string[] {
  const daemon = daemonsOf(mustParseLab(text, "web.yaml")).find(
    (each) => each.kind === kind && each.host === host,
  );
  const args = daemon?.args ?? [];
  return args.filter((_, i) => args[i - 1] === option);
}

function problems(rest: string): string[] {
  const result = parseLab(FRAME + rest, "web.yaml");
  return result.ok ? [] : result.problems.map(({ message }) => message);
}

suite("the registry of a lab", () => {
  test("is one on the first host, with a store in the lab's directory, if the lab file names none", () => {
    assert.deepEqual(
      daemonsOf(mustParseLab(FRAME, "web.yaml")).flatMap(({ kind, host }) =>
        kind === "registry" ? [host] : [],
      ),
      ["alpha"],
    );
    assert.deepEqual(optionsOf(FRAME, "registry", "alpha", "--store"), [
      "sqlite:/run/netloom/labs/web/alpha/registry.db",
    ]);
    assert.deepEqual(optionsOf(FRAME, "agent", "alpha", "--registry"), ["tcp://127.0.0.1:5002"]);
    assert.deepEqual(optionsOf(FRAME, "agent", "beta", "--registry"), ["tcp://10.1.0.1:5002"]);
  });

  test("may be several with one store; an agent prefers the one on its host, and has one address for all", () => {
    const text = `${FRAME}  registry: [beta, gamma]\n`;
    for (const host of ["beta", "gamma"])
      assert.deepEqual(optionsOf(text, "registry", host, "--store"), [
        "sqlite:/run/netloom/labs/web/beta/registry.db",
      ]);
    const [beta, gamma] = ["tcp://10.2.0.1:5002", "tcp://10.3.0.1:5002"];
    assert.deepEqual(optionsOf(text, "agent", "alpha", "--registry"), [beta, gamma]);
    assert.deepEqual(optionsOf(text, "agent", "beta", "--registry"), [beta, gamma]);
    assert.deepEqual(optionsOf(text, "agent", "gamma", "--registry"), [gamma, beta]);
  });

  test("may have another store", () => {
    assert.deepEqual(optionsOf(`${FRAME}  store: memory\n`, "registry", "alpha", "--store"), ["memory"]);
  });
});

suite("a wrong registry or store is refused", () => {
  const wrong: readonly (readonly [string, RegExp])[] = [
    ["registry: delta", /unknown host "delta"/],
    ["registry: [alpha, delta]", /unknown host "delta"/],
    ["registry: [alpha, alpha]", /"alpha" appears twice/],
    ["registry: []", /name at least one host/],
    ["registry: 7", /expected a host, or a list of hosts, got 7/],
    ["store: disk", /use memory, or sqlite:PATH/],
    [
      "registry: [alpha, beta]\n  store: memory",
      /2 registries share one store, and this one works for a single process only/,
    ],
  ];
  for (const [text, message] of wrong)
    test(text, () => {
      const found = problems(`  ${text}\n`);
      assert.ok(
        found.some((each) => message.test(each)),
        found.join("\n") || "no problem was reported",
      );
    });
});
