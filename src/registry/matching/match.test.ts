import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { NetworkServiceEndpointSchema, NetworkServiceSchema } from "../../api/gen/nsm/registry_pb.js";
import { matchEndpoints, matchesEndpointQuery, missingLabel, type Decision, type Labels } from "./match.ts";
import { renderTemplate } from "./template.ts";

const endpoint = (name: string, labels?: Record<string, string>) =>
  create(NetworkServiceEndpointSchema, {
    name,
    url: `tcp://10.0.0.1:5001/${name}`,
    networkServiceNames: ["shop"],
    ...(labels && { networkServiceLabels: { shop: { labels } } }),
  });
const green = endpoint("green", { app: "shop", color: "green", zone: "a" });
const blue = endpoint("blue", { app: "shop", color: "blue", zone: "b" });
const plain = endpoint("plain");

function names(
  labels: Labels,
  matches: MessageInitShape<typeof NetworkServiceSchema>["matches"],
  seen?: Decision[],
): string[] {
  const service = create(NetworkServiceSchema, { name: "shop", ...(matches && { matches }) });
  return matchEndpoints(labels, service, [green, blue, plain], (decision) => seen?.push(decision)).map(
    (candidate) => candidate.endpoint.name,
  );
}

test("a service without matches leads to every endpoint", () => {
  assert.deepEqual(names({}, []), ["green", "blue", "plain"]);
});

test("the first match whose source selector holds decides, even if it leads nowhere", () => {
  const matches = [
    { sourceSelector: { app: "x" }, routes: [{ destinationSelector: { color: "green" } }] },
    { sourceSelector: {}, routes: [{ destinationSelector: { color: "red" } }] },
    { routes: [{ destinationSelector: { color: "blue" } }] },
  ];
  assert.deepEqual(names({ app: "x" }, matches), ["green"]);
  assert.deepEqual(names({ app: "y" }, matches), []);
});

test("a match that falls through leaves the decision to the next", () => {
  const matches = [
    { fallthrough: true, routes: [{ destinationSelector: { zone: "{{ .zone }}" } }] },
    { routes: [{ destinationSelector: { app: "shop" } }] },
  ];
  assert.deepEqual(names({ zone: "b" }, matches), ["blue"]);
  assert.deepEqual(names({ zone: "c" }, matches), ["green", "blue"]);
});

test("a match with metadata and without routes leads to every endpoint, one without metadata to none", () => {
  assert.deepEqual(names({}, [{ metadata: { labels: { p2p: "true" } } }]), ["green", "blue", "plain"]);
  assert.deepEqual(names({}, [{}]), []);
});

test("an endpoint that two routes reach is a candidate twice, in the order of the routes", () => {
  const routes = [
    { destinationSelector: { color: "blue" } },
    { destinationSelector: { app: "shop" }, weight: 3 },
  ];
  assert.deepEqual(names({}, [{ routes }]), ["blue", "green", "blue"]);
});

test("every decision is reported, with the missing label", () => {
  const seen: Decision[] = [];
  names(
    {},
    [{ sourceSelector: { app: "x" } }, { routes: [{ destinationSelector: { color: "blue" } }] }],
    seen,
  );
  assert.deepEqual(seen, [
    { step: "source selector does not match", match: 0, label: "app=x" },
    {
      step: "destination selector does not match",
      match: 1,
      route: 0,
      endpoint: "green",
      label: "color=blue",
    },
    { step: "taken", match: 1, route: 0, endpoint: "blue" },
    {
      step: "destination selector does not match",
      match: 1,
      route: 0,
      endpoint: "plain",
      label: "color=blue",
    },
  ]);
});

test("a selector with an empty value matches an absent label, unless it has more keys than there are labels", () => {
  assert.equal(missingLabel({ a: "1" }, { b: "" }, {}), undefined);
  assert.equal(missingLabel({}, { b: "" }, {}), "b=");
});

test("templates are rendered as Go does, and other text is literal", () => {
  const values = { podName: "p", "a-b": "q" };
  for (const [template, expected] of [
    ["plain", "plain"],
    ["{{ .podName }}", "p"],
    ["x-{{.podName}}-y", "x-p-y"],
    ["x {{- .podName -}} y", "xpy"],
    ['{{ index . "a-b" }}', "q"],
    ['{{ index . "none" }}|', "|"],
    ["{{ .none }}", "<no value>"],
    ["{{ .podName.x }}", "{{ .podName.x }}"],
    ["{{ if .podName }}", "{{ if .podName }}"],
    ["{{ .podName }} {{", "{{ .podName }} {{"],
    ["{{ .a-b }}", "{{ .a-b }}"],
  ] as const) {
    assert.equal(renderTemplate(template, values), expected, template);
  }
});

test("a query matches name exactly, services and labels as subsets, and the URL as a substring", () => {
  const query = (init: MessageInitShape<typeof NetworkServiceEndpointSchema>) =>
    matchesEndpointQuery(create(NetworkServiceEndpointSchema, init), green);
  assert.ok(query({}));
  assert.ok(query({ name: "green" }));
  assert.ok(!query({ name: "gree" }));
  assert.ok(query({ url: "tcp://10.0.0.1:5001" }));
  assert.ok(!query({ url: "tcp://10.0.0.2:5001" }));
  assert.ok(query({ networkServiceNames: ["shop"] }));
  assert.ok(!query({ networkServiceNames: ["shop", "bank"] }));
  assert.ok(query({ networkServiceLabels: { shop: { labels: { color: "green" } } } }));
  assert.ok(!query({ networkServiceLabels: { shop: { labels: { color: "blue" } } } }));
  assert.ok(!query({ networkServiceLabels: { bank: { labels: {} } } }));
});
