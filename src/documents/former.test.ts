/** Documents of release 0.1.0 as data, converted in both directions. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { stringify } from "yaml";
import type { Document } from "../attachments/spec.ts";
import { formatProblem } from "../text/problem.ts";
import { DOCUMENTS } from "./documents.ts";
import { fromFormer, isFormer, toFormer } from "./former.ts";

const workload = { netns: "/run/netns/a" };

const FORMER = [
  {
    kind: "NetworkService",
    name: "shop",
    payload: "IP",
    matches: [
      { sourceSelector: { sourceSelector: "a" }, fallthrough: true, routes: [] },
      {
        routes: [{ destinationSelector: { destinationSelector: "b", source_selector: "c" }, weight: 2 }],
        metadata: { labels: { destinationSelector: "d" } },
      },
    ],
  },
  { kind: "NetworkService", name: "bare" },
  {
    kind: "Connect",
    name: "web",
    labels: { policies: "x" },
    workload,
    service: "kernel://db/to-db?app=a%20b",
    mtu: 1400,
    routerAdvertisements: true,
    via: ["beta"],
  },
  {
    kind: "Expose",
    name: "db",
    labels: { app: "db" },
    workload,
    services: ["db", "mail"],
    pools: [["10.0.0.0/24"], "fd00::/64"],
    policies: [{ from: "10.0.0.0/24", routes: [{ to: "10.9.0.0/16", via: "10.0.0.0" }] }],
    routes: { client: ["10.9.0.0/16"] },
  },
  {
    kind: "Function",
    name: "fw",
    labels: { app: "fw" },
    workload,
    service: "shop",
    type: "passthrough",
    pools: ["10.8.0.0/24"],
  },
];

suite("a document as data", () => {
  for (const former of FORMER)
    test(`${former.kind} ${former.name} is converted and converted back`, () => {
      assert.ok(isFormer(former));
      const document = fromFormer(former) as Document;
      const read = DOCUMENTS.parse(stringify(document), "x.yaml");
      assert.deepEqual(read.ok ? [] : read.problems.map(formatProblem), []);
      assert.deepEqual(toFormer(document), former);
    });

  test("toFormer leaves out keys that release 0.1.0 does not know, and empty values", () => {
    const client = {
      apiVersion: "netloom.dev/v1alpha1",
      kind: "NetworkServiceClient",
      metadata: { name: "web", annotations: { note: "x" } },
      spec: { workload, service: "db", guard: true, dhcp: true, mtu: undefined, endpoint: null },
    };
    assert.deepEqual(toFormer(client), { kind: "Connect", name: "web", workload, service: "db" });
    const service = {
      apiVersion: "networkservicemesh.io/v1",
      kind: "NetworkService",
      metadata: { name: "shop", labels: { note: "x" } },
      spec: { name: "shop", matches: [{ source_selector: null, routes: null }] },
    };
    assert.deepEqual(toFormer(service), { kind: "NetworkService", name: "shop", matches: [{}] });
    assert.deepEqual(toFormer({ ...service, spec: null }), { kind: "NetworkService", name: "shop" });
  });

  test("toFormer gives a function labels, as release 0.1.0 requires", () => {
    const labels = { role: "a b" };
    const former = {
      kind: "Function",
      name: "fw",
      labels,
      workload,
      type: "passthrough",
      pools: ["10.8.0.0/24"],
    };
    const back = toFormer(fromFormer({ ...former, service: "shop" }) as Document);
    assert.deepEqual(back, { ...former, labels: {}, service: "kernel://shop?role=a%20b" });
  });

  test("fromFormer returns other documents as they are, and toFormer refuses them", () => {
    const other = { kind: "NetworkServiceClient", name: "web" };
    assert.equal(fromFormer(other), other);
    assert.throws(
      () => toFormer({ apiVersion: "v1", kind: "Pod", metadata: { name: "web" } }),
      /has no kind for v1 Pod/,
    );
  });

  test("an object that is used twice is written twice", () => {
    const pools = ["10.0.0.0/24"];
    const former = { kind: "Expose", name: "db", workload, services: ["db"], pools, acceptRoutes: pools };
    assert.deepEqual(toFormer(fromFormer(former) as Document), former);
  });
});
