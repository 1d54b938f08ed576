/** Documents that people write: what they mean, and every mistake with its place. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { suite, test } from "node:test";
import { tokenise } from "../../scripts/tokens.ts";
import { formatProblem } from "../text/problem.ts";
import type { ConnectWish } from "./connect/wish.ts";
import { DOCUMENTS } from "./documents.ts";
import type { ExposeWish } from "./expose/wish.ts";
import { KINDS } from "./kinds.ts";
import type { NetworkServiceWish } from "./network-service/wish.ts";

const root = new URL("../../", import.meta.url);

function problems(text: string): string[] {
  const result = DOCUMENTS.parse(text, "x.yaml");
  return result.ok ? [] : result.problems.map(formatProblem);
}

suite("documents", () => {
  test("the published schema is the one that the parser uses", () => {
    const published = readFileSync(new URL("docs/schema/attachment.schema.json", root), "utf8");
    assert.equal(published, DOCUMENTS.schemaText(), "run: make docs");
  });

  test("the example means what it says", () => {
    const text = readFileSync(new URL("examples/attachments.yaml", root), "utf8");
    const wishes = DOCUMENTS.mustParse(text, "attachments.yaml");
    assert.deepEqual(
      wishes.map(({ kind }) => kind),
      ["NetworkService", "Expose", "Connect"],
    );
    const [service, expose, connect] = wishes as [NetworkServiceWish, ExposeWish, ConnectWish];
    assert.equal(service.document.matches?.length, 2);
    assert.deepEqual(expose.pools, [["10.10.0.0/24"], ["fd00:10::/64"]]);
    assert.deepEqual([...expose.labels], [["shop", { track: "stable" }]]);
    assert.deepEqual(expose.services, ["shop"]);
    assert.deepEqual(expose.context.srcRoutes, [{ prefix: "10.20.0.0/16" }]);
    assert.deepEqual(
      [connect.service, connect.interface, connect.labels],
      ["shop", "shop0", { role: "tester" }],
    );
  });

  for (const [text, wanted] of [
    ["", ["x.yaml:1:1: there is no attachment in it"]],
    ["- a\n", ["x.yaml:1:1: expected a map, got a list of one"]],
    [
      "kind: Conect\nname: a\n",
      [
        'x.yaml:1:7: kind: expected "NetworkService", "Connect", "Expose" or "Function", got "Conect"; did you mean "Connect"?',
      ],
    ],
    [
      "kind: Connect\nname: Web\nworkload: { pdi: 1 }\nservcie: db\n",
      [
        "x.yaml:1:1: service: is missing",
        'x.yaml:2:7: name: "Web" does not fit: use 1-63 lower-case letters, digits, dots and hyphens, a letter or digit at both ends',
        "x.yaml:3:11: workload.netns: is missing",
        'x.yaml:3:13: workload.pdi: unknown key; did you mean "pid"?',
        'x.yaml:4:1: servcie: unknown key; did you mean "service"?',
      ],
    ],
    [
      "kind: Connect\nname: a\nworkload: { netns: run/x }\nservice: kernel://db/a?x=1\ninterface: this-name-is-too-long\nlabels: { x: '2' }\nexcludedPrefixes: [10.0.0.1/24, x]\n",
      [
        'x.yaml:3:20: workload.netns: "run/x" is no absolute path; write one such as /run/netns/web',
        `x.yaml:5:12: interface: the interface name "this-name-is-too-long" has 21 bytes; Linux takes 15`,
        'x.yaml:5:12: interface: the service\'s address names the interface "a"; name it once',
        'x.yaml:6:14: labels.x: the service\'s address says "1"; say it once',
        'x.yaml:7:20: excludedPrefixes[0]: "10.0.0.1/24" has host bits; did you mean "10.0.0.0/24"?',
        'x.yaml:7:33: excludedPrefixes[1]: "x" is no prefix such as 10.0.0.0/24 or fd00::/64',
      ],
    ],
    [
      "kind: Connect\nname: a\nworkload: { lab: demo/web }\nservice: memif://db/a\n",
      [
        'x.yaml:3:18: workload.lab: "demo/web" is not of the form lab/host/workload, such as demo/alpha/web',
        'x.yaml:4:10: service: the mechanism "memif" is not supported here; use kernel',
      ],
    ],
    [
      "kind: Expose\nname: a\nworkload: { pid: 1 }\nservices: [db, kernel://db]\npools: [10.0.0.0/24, [10.0.0.0/24, fd00::/64], []]\ndns: [{servers: [dns]}]\npolicies: [{destinationPorts: 80}]\n",
      [
        'x.yaml:4:16: services[1]: "db" is there twice; remove one',
        "x.yaml:5:22: pools[1]: a group is of one family: each wire gets one pair of it; write two groups for dual stack",
        'x.yaml:5:23: pools[1][0]: "10.0.0.0/24" overlaps "10.0.0.0/24"; an address is in one pool only',
        "x.yaml:5:48: pools[2]: a group needs a prefix",
        'x.yaml:6:18: dns[0].servers[0]: "dns" is no IP address',
        "x.yaml:7:31: policies[0].destinationPorts: ports need the protocol tcp, udp or sctp",
      ],
    ],
    [
      "kind: Expose\nname: a\nworkload: { pid: 1 }\nservices: [kernel://db/database-gw]\ninterface: ööööööö\n",
      [
        'x.yaml:4:12: services[0]: "database-gw" has 11 bytes; names begin with 10 at most, and end with some of their own',
        'x.yaml:5:12: interface: "ööööööö" has 14 bytes; names begin with 10 at most, and end with some of their own',
      ],
    ],
    [
      "kind: NetworkService\nname: a\n---\nkind: NetworkService\nname: a\n",
      ['x.yaml:5:7: name: "NetworkService a" is there twice (first on line 2); rename or remove one'],
    ],
  ] as const) {
    test(`says what is wrong with ${JSON.stringify(text.slice(0, 60))}`, () =>
      assert.deepEqual(problems(text), wanted));
  }
});

suite("the list of kinds", () => {
  test("is asked: no other room compares with the name of a kind", () => {
    const names = new Set(KINDS.map(({ kind }) => JSON.stringify(kind)));
    const sources = readdirSync(new URL("src/", root), { recursive: true, encoding: "utf8" }).filter(
      (path) => path.endsWith(".ts") && !/^(documents|api\/gen)\/|(\.test|-fixture)\.ts$/.test(path),
    );
    assert.ok(sources.length > 100);
    const found = sources.filter((path) =>
      tokenise(readFileSync(new URL(`src/${path}`, root), "utf8")).some(
        ({ kind, text }) => kind === "string" && names.has(JSON.stringify(text)),
      ),
    );
    assert.deepEqual(found, []);
  });

  test("has words of its own for each, which nobody else has", () => {
    const words = KINDS.flatMap(({ names, command }) => [
      ...names,
      ...(command ? [`command ${command.name}`] : []),
    ]);
    assert.equal(new Set(words).size, words.length);
    for (const { kind, names } of KINDS) assert.equal(names[0], kind.toLowerCase());
  });
});
