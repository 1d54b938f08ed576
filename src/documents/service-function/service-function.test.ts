/** The checks of a service function, alone and beside the NetworkService of its service. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { formatProblem } from "../../text/problem.ts";
import { DOCUMENTS } from "../documents.ts";

const FIREWALL =
  "apiVersion: netloom.dev/v1alpha1\nkind: ServiceFunction\nmetadata: { name: a, labels: { app: fw } }\nspec:\n  type: passthrough\n  workload: { pid: 1 }\n  service: db\n  pools: [10.0.0.0/24]\n";

for (const [text, wanted] of [
  [
    "apiVersion: netloom.dev/v1alpha1\nkind: ServiceFunction\nmetadata: { name: a, labels: { app: fw } }\nspec:\n  type: passtrough\n  workload: { pid: 1 }\n  service: db\n  pools: [10.0.0.0/24]\n",
    ['x.yaml:5:9: spec.type: expected "passthrough", got "passtrough"'],
  ],
  [
    "apiVersion: netloom.dev/v1alpha1\nkind: ServiceFunction\nmetadata: { name: a, labels: {} }\nspec:\n  type: passthrough\n  workload: { pid: 1 }\n  service: kernel://db/nsm-1\n  pools: [10.0.0.0/32]\n  mtu: 1\n  interface: x\n",
    [
      "x.yaml:9:8: spec.mtu: the smallest MTU that IPv4 allows is 68, not 1",
      "x.yaml:10:3: spec.interface: unknown key; known here: type, workload, service, pools, excludedPrefixes, mtu, guard",
    ],
  ],
  [
    "apiVersion: netloom.dev/v1alpha1\nkind: ServiceFunction\nmetadata: { name: a, labels: {} }\nspec:\n  type: passthrough\n  workload: { pid: 1 }\n  service: kernel://db/nsm-1\n  pools: [10.0.0.0/32]\n",
    [
      "x.yaml:3:30: metadata.labels: a function needs a label: without one the service's matches cannot distinguish it from its clients",
      "x.yaml:7:12: spec.service: a function's devices are called in-… and out-…; leave the interface out",
      'x.yaml:8:11: spec.pools[0]: "10.0.0.0/32" has no room for two addresses, one for each end of a wire',
    ],
  ],
  [
    `${FIREWALL}---\napiVersion: networkservicemesh.io/v1\nkind: NetworkService\nmetadata: { name: db }\nspec:\n  matches: [{ routes: [{ destination_selector: { app: fw } }] }]\n`,
    [
      "x.yaml:3:30: metadata.labels: the matches of db lead clients with app=fw back to the function itself; add a match that leads on",
    ],
  ],
  [
    `${FIREWALL}---\napiVersion: networkservicemesh.io/v1\nkind: NetworkService\nmetadata: { name: db }\n`,
    [
      "x.yaml:3:30: metadata.labels: the service db has no matches: every client gets any endpoint, and the function itself again",
    ],
  ],
  // Only the agent knows the name of its host.
  [
    `${FIREWALL}---\napiVersion: networkservicemesh.io/v1\nkind: NetworkService\nmetadata: { name: db }\nspec:\n  matches: [{ source_selector: { nodeName: b }, routes: [{ destination_selector: { app: fw } }] }]\n`,
    [],
  ],
] as const)
  test(`reports all problems of ${JSON.stringify(text.slice(20))}`, () => {
    const result = DOCUMENTS.parse(text, "x.yaml");
    assert.deepEqual(result.ok ? [] : result.problems.map(formatProblem), wanted);
  });
