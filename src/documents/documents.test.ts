/** Documents are parsed to specs, and every mistake is reported with its place. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { suite, test } from "node:test";
import { tokenise } from "../../scripts/tokens.ts";
import { formatProblem } from "../text/problem.ts";
import type { ClientSpec } from "./client/spec.ts";
import { documentsJsonSchema } from "../lab/file/json-schema.ts";
import { DOCUMENTS } from "./documents.ts";
import type { ProviderSpec } from "./provider/spec.ts";
import { KINDS } from "./kinds.ts";
import { networkServiceOf } from "./network-service/registry-entry.ts";
import type { NetworkServiceSpec } from "./network-service/spec.ts";

const root = new URL("../../", import.meta.url);

function problems(text: string): string[] {
  const result = DOCUMENTS.parse(text, "x.yaml");
  return result.ok ? [] : result.problems.map(formatProblem);
}

/** Texts, and all problems reported for them. */
const WRONG: readonly (readonly [text: string, problems: readonly string[]])[] = [
  ["", ["x.yaml:1:1: the file has no document"]],
  ["- a\n", ["x.yaml:1:1: expected a map, got a list of one"]],
  [
    "apiVersion: netloom.dev/v1alpha1\nkind: NetworkServiceClents\nmetadata: { name: a }\n",
    [
      'x.yaml:2:7: kind: expected "NetworkService", "NetworkServiceClient", "NetworkServiceProvider" or "ServiceFunction", got "NetworkServiceClents"; did you mean "NetworkServiceClient"?',
    ],
  ],
  [
    "apiVersion: netloom.dev/v2\nkind: NetworkServiceClient\nmetadata: { name: a }\nspec: {}\n",
    ['x.yaml:1:13: apiVersion: this version of netloom reads netloom.dev/v1alpha1, not "netloom.dev/v2"'],
  ],
  [
    "apiVersion: netloom.dev/v1alpha1\nkind: NetworkService\nmetadata: { name: a }\n",
    [
      'x.yaml:1:13: apiVersion: NetworkService is of the group networkservicemesh.io: write networkservicemesh.io/v1, not "netloom.dev/v1alpha1"',
    ],
  ],
  [
    "apiVersion: netloom.dev/v1alpha1\nkind: Lab\nmetadata: { name: a }\n---\nkind: Wire\n",
    [
      "x.yaml:2:7: kind: a Lab is for netloom lab up; an agent does not read it",
      "x.yaml:5:7: kind: a Wire is for netloom lab up; an agent does not read it",
    ],
  ],
  [
    "kind: NetworkService\nmetadata: { name: a }\n",
    ["x.yaml:1:1: apiVersion: is missing; write networkservicemesh.io/v1"],
  ],
  [
    `apiVersion: netloom.dev/v1alpha1\nkind: NetworkServiceClient\nmetadata: { name: a, labels: { -x: y, k: "a b" }, annotations: { "not/a/key": x } }\nspec: { workload: { pid: 1 }, service: db }\nstatus: up\n`,
    [
      "x.yaml:3:32: metadata.labels.-x: use 1-63 letters, digits, dots, hyphens and underscores, a letter or digit at both ends; a DNS domain and a slash may come first",
      'x.yaml:3:42: metadata.labels.k: "a b" does not fit: use 1-63 letters, digits, dots, hyphens and underscores, a letter or digit at both ends, or nothing; longer text belongs in an annotation',
      'x.yaml:3:66: metadata.annotations."not/a/key": use 1-63 letters, digits, dots, hyphens and underscores, a letter or digit at both ends; a DNS domain and a slash may come first',
      "x.yaml:5:9: status: only netloom writes the status; remove it",
    ],
  ],
  [
    "apiVersion: netloom.dev/v1alpha1\nkind: NetworkServiceClient\nmetadata: { name: a }\nspec: { workload: { pid: 1 }, service: db@other.example }\n",
    [
      'x.yaml:4:40: spec.service: "db@other.example": services of other domains cannot be reached yet; name one of this domain',
    ],
  ],
  [
    "apiVersion: netloom.dev/v1alpha1\n\tkind: NetworkServiceClient\n",
    ["x.yaml:2:1: not YAML: tabs are not allowed as indentation"],
  ],
  [
    "apiVersion: netloom.dev/v1alpha1\nkind: NetworkServiceClient\nmetadata: { name: a }\nspec: { <<: { service: db }, service: db, workload: { pid: 1 } }\n",
    ['x.yaml:4:9: spec."<<": merge keys are YAML 1.1, and netloom reads YAML 1.2; write the keys out'],
  ],
  [
    "apiVersion: networkservicemesh.io/v1\nkind: NetworkService\nmetadata: { name: a }\n---\napiVersion: networkservicemesh.io/v1\nkind: NetworkService\nmetadata: { name: a }\n",
    ['x.yaml:7:19: metadata.name: "NetworkService a" appears twice (first on line 3); rename or remove one'],
  ],
  [
    "apiVersion: netloom.dev/v1alpha1\nkind: NetworkServiceClient\nmetadata: { name: Web }\nspec:\n  workload: { pdi: 1 }\n  servcie: db\n",
    [
      'x.yaml:3:19: metadata.name: "Web" does not fit: use 1-63 lower-case letters, digits, dots and hyphens, a letter or digit at both ends',
      "x.yaml:5:3: spec.service: is missing",
      "x.yaml:5:13: spec.workload.netns: is missing",
      'x.yaml:5:15: spec.workload.pdi: unknown key; did you mean "pid"?',
      'x.yaml:6:3: spec.servcie: unknown key; did you mean "service"?',
    ],
  ],
  [
    "apiVersion: netloom.dev/v1alpha1\nkind: NetworkServiceClient\nmetadata: { name: a, labels: { x: '2' } }\nspec:\n  workload: { netns: run/x }\n  service: kernel://db/a?x=1\n  interface: this-name-is-too-long\n  excludedPrefixes: [10.0.0.1/24, x]\n",
    [
      'x.yaml:3:35: metadata.labels.x: the service\'s address has "1"; give it once',
      'x.yaml:5:22: spec.workload.netns: "run/x" is not an absolute path; write one such as /run/netns/web',
      'x.yaml:7:14: spec.interface: the interface name "this-name-is-too-long" has 21 bytes; Linux takes 15',
      'x.yaml:7:14: spec.interface: the service\'s address names the interface "a"; name it once',
      'x.yaml:8:22: spec.excludedPrefixes[0]: "10.0.0.1/24" has host bits; did you mean "10.0.0.0/24"?',
      'x.yaml:8:35: spec.excludedPrefixes[1]: "x" is not a prefix such as 10.0.0.0/24 or fd00::/64',
    ],
  ],
  [
    "apiVersion: netloom.dev/v1alpha1\nkind: NetworkServiceClient\nmetadata: { name: a }\nspec:\n  workload: { lab: demo/web }\n  service: memif://db/a\n",
    [
      'x.yaml:5:20: spec.workload.lab: "demo/web" is not of the form lab/host/workload, such as demo/alpha/web',
      'x.yaml:6:12: spec.service: the mechanism "memif" is not supported here; use kernel',
    ],
  ],
  [
    "apiVersion: netloom.dev/v1alpha1\nkind: NetworkServiceProvider\nmetadata: { name: a }\nspec:\n  workload: { pid: 1 }\n  services: [db, kernel://db]\n  pools: [10.0.0.0/24, [10.0.0.0/24, fd00::/64], []]\n  dns: [{servers: [dns]}]\n  policyRoutes: [{destinationPorts: 80}]\n",
    [
      'x.yaml:6:18: spec.services[1]: "db" appears twice; remove one',
      "x.yaml:7:24: spec.pools[1]: a group has prefixes of one family: each wire gets one pair of each group; write two groups for dual stack",
      'x.yaml:7:25: spec.pools[1][0]: "10.0.0.0/24" overlaps "10.0.0.0/24"; an address can be in one pool only',
      "x.yaml:7:50: spec.pools[2]: a group needs a prefix",
      "x.yaml:8:3: spec.dns: no agent sets name servers in its workloads yet; leave this out, and set them by hand",
      "x.yaml:9:37: spec.policyRoutes[0].destinationPorts: ports need the protocol tcp, udp or sctp",
    ],
  ],
  [
    "apiVersion: netloom.dev/v1alpha1\nkind: NetworkServiceProvider\nmetadata: { name: a }\nspec:\n  workload: { pid: 1 }\n  services: [kernel://db/database-gw]\n  interface: ööööööö\n",
    [
      'x.yaml:6:14: spec.services[0]: "database-gw" has 11 bytes; a prefix of device names has at most 10',
      'x.yaml:7:14: spec.interface: "ööööööö" has 14 bytes; a prefix of device names has at most 10',
    ],
  ],
  [
    "kind: Connect\nname: a\nworkload: { pid: 1 }\nservice: db\n",
    ["x.yaml:1:7: kind: this is a document of release 0.1.0; netloom migrate FILE converts the file"],
  ],
  [
    "apiVersion: networkservicemesh.io/v1\nkind: NetworkService\nmetadata: { name: a }\nspec: { matches: [{ sourceSelector: { app: web } }], name: b }\n",
    ['x.yaml:4:21: spec.matches[0].sourceSelector: unknown key; did you mean "source_selector"?'],
  ],
  [
    "apiVersion: networkservicemesh.io/v1\nkind: NetworkService\nmetadata: { name: a }\nspec: { name: b }\n",
    ['x.yaml:4:15: spec.name: metadata.name is "a"; remove this name'],
  ],
];

suite("documents", () => {
  test("the published schema is the one that the parser uses", () => {
    const published = readFileSync(new URL("docs/schema/netloom.schema.json", root), "utf8");
    assert.equal(published, documentsJsonSchema(), "run: make docs");
  });

  test("the example file is parsed to its specs", () => {
    const text = readFileSync(new URL("examples/attachments.yaml", root), "utf8");
    const specs = DOCUMENTS.mustParse(text, "attachments.yaml");
    assert.deepEqual(
      specs.map(({ kind }) => kind),
      ["NetworkService", "NetworkServiceProvider", "NetworkServiceClient"],
    );
    const [service, expose, connect] = specs as [NetworkServiceSpec, ProviderSpec, ClientSpec];
    assert.equal(service.document.spec?.matches?.length, 2);
    assert.deepEqual(expose.pools, [["10.10.0.0/24"], ["fd00:10::/64"]]);
    assert.deepEqual([...expose.labels], [["shop", { track: "stable" }]]);
    assert.deepEqual(expose.services, ["shop"]);
    assert.deepEqual(expose.context.srcRoutes, [{ prefix: "10.20.0.0/16" }]);
    assert.deepEqual(
      [connect.service, connect.interface, connect.labels],
      ["shop", "shop0", { role: "tester" }],
    );
  });

  test("an upstream NetworkService applies as a Kubernetes API server returns it, with empty selectors", () => {
    const [spec] = DOCUMENTS.mustParse(
      "apiVersion: networkservicemesh.io/v1\nkind: NetworkService\nmetadata: { name: a, namespace: ns-1, generation: 1, uid: x }\n" +
        'spec:\n  payload: ETHERNET\n  matches:\n    - source_selector:\n      fallthrough: true\n      routes:\n        - destination_selector:\n            podName: "{{ .podName }}"\n' +
        "    - source_selector: {}\n      metadata:\n        labels: { p2p: other }\n",
      "x.yaml",
    );
    const { name, payload, matches } = networkServiceOf((spec as NetworkServiceSpec).document);
    assert.deepEqual([name, payload], ["a", "ETHERNET"]);
    assert.deepEqual(
      matches.map(({ sourceSelector, fallthrough, routes, metadata }) => ({
        sourceSelector,
        fallthrough,
        to: routes.map((each) => each.destinationSelector),
        forwarder: metadata?.labels,
      })),
      [
        { sourceSelector: {}, fallthrough: true, to: [{ podName: "{{ .podName }}" }], forwarder: undefined },
        { sourceSelector: {}, fallthrough: false, to: [], forwarder: { p2p: "other" } },
      ],
    );
  });

  for (const [text, wanted] of WRONG) {
    test(`reports all problems of ${JSON.stringify(text.slice(0, 60))}`, () =>
      assert.deepEqual(problems(text), wanted));
  }
});

suite("the list of kinds", () => {
  test("no other room compares with the name of a kind", () => {
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

  test("the words of a kind belong to no other kind", () => {
    const words = KINDS.flatMap(({ names, command }) => [
      ...names,
      ...(command ? [`command ${command.name}`] : []),
    ]);
    assert.equal(new Set(words).size, words.length);
    for (const { kind, names } of KINDS) assert.equal(names[0], kind.toLowerCase());
  });
});
