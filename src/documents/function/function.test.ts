/** What is wrong with a Function, alone and beside the description of its service. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { formatProblem } from "../../text/problem.ts";
import { DOCUMENTS } from "../documents.ts";

const FIREWALL =
  "kind: Function\nname: a\ntype: passthrough\nworkload: { pid: 1 }\nservice: db\nlabels: { app: fw }\npools: [10.0.0.0/24]\n";

for (const [text, wanted] of [
  [
    "kind: Function\nname: a\ntype: passtrough\nworkload: { pid: 1 }\nservice: db\nlabels: { app: fw }\npools: [10.0.0.0/24]\n",
    ['x.yaml:3:7: type: expected "passthrough", got "passtrough"'],
  ],
  [
    "kind: Function\nname: a\ntype: passthrough\nworkload: { pid: 1 }\nservice: kernel://db/nsm-1\nlabels: {}\npools: [10.0.0.0/32]\nmtu: 1\ninterface: x\n",
    [
      "x.yaml:8:6: mtu: the smallest MTU that IPv4 allows is 68, not 1",
      "x.yaml:9:1: interface: unknown key; known here: kind, name, type, workload, service, labels, pools, excludedPrefixes, mtu, guard",
    ],
  ],
  [
    "kind: Function\nname: a\ntype: passthrough\nworkload: { pid: 1 }\nservice: kernel://db/nsm-1\nlabels: {}\npools: [10.0.0.0/32]\n",
    [
      "x.yaml:5:10: service: a function's devices are called in-… and out-…; leave the interface out",
      "x.yaml:6:9: labels: a function needs a label: without one the service's matches cannot tell it from its clients",
      'x.yaml:7:9: pools[0]: "10.0.0.0/32" has no room for two addresses, one for each end of a wire',
    ],
  ],
  [
    `${FIREWALL}---\nkind: NetworkService\nname: db\nmatches: [{ routes: [{ destinationSelector: { app: fw } }] }]\n`,
    [
      "x.yaml:6:9: labels: the matches of db lead what has app=fw back to the function itself; give it a match that leads on",
    ],
  ],
  [
    `${FIREWALL}---\nkind: NetworkService\nname: db\n`,
    [
      "x.yaml:6:9: labels: the service db has no matches: every client gets any endpoint, and the function itself again",
    ],
  ],
  // Which host it will be, only its agent knows.
  [
    `${FIREWALL}---\nkind: NetworkService\nname: db\nmatches: [{ sourceSelector: { nodeName: b }, routes: [{ destinationSelector: { app: fw } }] }]\n`,
    [],
  ],
] as const)
  test(`says what is wrong with ${JSON.stringify(text.slice(20))}`, () => {
    const result = DOCUMENTS.parse(text, "x.yaml");
    assert.deepEqual(result.ok ? [] : result.problems.map(formatProblem), wanted);
  });
