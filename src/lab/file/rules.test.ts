/** A document that can never work is refused when it is applied, by an agent and in a lab file alike. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { stringify } from "yaml";
import { DOCUMENTS } from "../../documents/documents.ts";
import { clientDocument, labText, providerDocument } from "../../../fixtures/documents/documents.ts";
import { parseLab } from "./parse.ts";

type Document = Record<string, unknown>;
type Labels = Record<string, string> | undefined;

function expose({ labels, ...part }: Document): Document {
  const spec = { workload: { lab: "lab/alpha/db" }, services: ["db"], ...part };
  return providerDocument("db", spec, labels as Labels);
}

function connect({ labels, ...part }: Document, name = "web"): Document {
  const spec = { workload: { lab: "lab/alpha/web" }, service: "db", ...part };
  return clientDocument(name, spec, labels as Labels);
}

/** All problems that an agent reports, as `path: message`. Asserts that a lab reports the same. */
function problemsOf(document: Document): string[] {
  const own = DOCUMENTS.parse(stringify(document), "x.yaml");
  const inLab = parseLab(
    labText("lab", { hosts: { alpha: { workloads: ["db", "web"] } }, agents: true }, [inLabOf(document)]),
    "x.yaml",
  );
  const said = own.ok ? [] : own.problems.map(({ path, message }) => `${path}: ${message}`);
  const saidInLab = inLab.ok ? [] : inLab.problems.map(({ path, message }) => `${path}: ${message}`);
  assert.deepEqual(saidInLab, said);
  return said.map((each) => each.replace(/^(spec|metadata)\./, ""));
}

/** The document with its workload in the form of a lab file. */
function inLabOf(document: Document): Document {
  const spec = document["spec"] as { readonly workload: { readonly lab: string } };
  return { ...document, spec: { ...spec, workload: spec.workload.lab.slice(4) } };
}

const many = (count: number, make: (i: number) => string): string[] =>
  Array.from({ length: count }, (_, i) => make(i));
const labels = (count: number, name = "l", value = "x"): Record<string, string> =>
  Object.fromEntries(many(count, (i) => `${name}${i}`).map((key) => [key, value]));
const routes = (count: number): string[] => many(count, (i) => `10.${i >> 8}.${i & 255}.0/24`);

const pool = "172.31.0.0/24";

const wrong: readonly (readonly [string, Document, RegExp])[] = [
  ["a multicast pool", expose({ pools: ["224.1.0.0/24"] }), /^pools\[0\]: .* a multicast address/],
  ["an IPv6 multicast pool", expose({ pools: ["ff05::/64"] }), /^pools\[0\]: .* a multicast address/],
  ["a loopback pool", expose({ pools: ["127.0.1.0/24"] }), /^pools\[0\]: .* a loopback address/],
  ["a pool of zero", expose({ pools: ["0.0.0.0/24"] }), /^pools\[0\]: .* the unspecified address/],
  ["a pool of everything", expose({ pools: ["::/0"] }), /^pools\[0\]: .* the unspecified address/],
  ["::/64", expose({ pools: ["::/64"] }), /^pools\[0\]: .* the unspecified address/],
  ["an IPv4-mapped pool", expose({ pools: ["::ffff:10.0.0.0/120"] }), /^pools\[0\]: .* an IPv4-mapped/],
  ["a link-local pool", expose({ pools: ["fe80::/64"] }), /^pools\[0\]: .* a link-local address/],
  ["a pool for one", expose({ pools: ["10.0.0.1/32"] }), /^pools\[0\]: .* no room for two addresses/],
  ["an IPv6 pool for one", expose({ pools: [["fd00::/128"]] }), /^pools\[0\]\[0\]: .* no room for two/],
  ["the last two", expose({ pools: ["255.255.255.254/31"] }), /^pools\[0\]: .* no room for two/],
  [
    "a pool that is excluded",
    expose({ pools: ["10.0.0.0/30"], excludedPrefixes: ["10.0.0.0/31", "10.0.0.3/32"] }),
    /^pools\[0\]: excludedPrefixes leave no room/,
  ],
  [
    "a pool twice",
    expose({ pools: ["10.0.0.0/24", "10.0.0.0/16"] }),
    /^pools\[1\]: .* overlaps "10.0.0.0\/24"/,
  ],
  [
    "an MTU too small for IPv6",
    expose({ pools: ["fd00::/64"], mtu: 1279 }),
    /^mtu: 1279 bytes do not fit: IPv6 needs an MTU of 1280 or more/,
  ],
  [
    "a route without a source",
    expose({ pools: [pool], routes: { client: ["10.0.0.0/8", "fd00::/8"] } }),
    /^routes\.client\[1\]: .* has no source: the client has no IPv6 address/,
  ],
  [
    "a next hop that is nowhere",
    expose({ pools: [pool], routes: { endpoint: [{ to: "10.0.0.0/8", via: "192.168.0.1" }] } }),
    /^routes\.endpoint\[0\]\.via: .*next hop 192\.168\.0\.1, which no network of the wire contains/,
  ],
  [
    "a multicast next hop",
    expose({ routes: { client: [{ to: "10.0.0.0/8", via: "224.0.0.1" }] } }),
    /^routes\.client\[0\]\.via: .* a multicast address/,
  ],
  [
    "a route twice",
    expose({ routes: { client: ["fd00::/8", { to: "FD00:0::/8" }] } }),
    /^routes\.client\[1\]\.to: the route to fd00::\/8 appears twice/,
  ],
  [
    "a policy of another family",
    expose({ pools: [pool], policyRoutes: [{ from: "fd00::/64" }] }),
    /^policyRoutes\[0\]\.from: .*the client has no IPv6 address/,
  ],
  [
    "a policy's route of another family",
    expose({ pools: [pool, "fd00::/64"], policyRoutes: [{ from: "10.0.0.0/8", routes: ["fd01::/64"] }] }),
    /^policyRoutes\[0\]\.routes\[0\]: .* a route of the other family/,
  ],
  ["1,100 routes", expose({ routes: { client: routes(1100) } }), /^routes\.client: 1100 routes are too many/],
  [
    "one route too many",
    expose({ pools: [pool], routes: { client: routes(1024) } }),
    /^routes\.client: 1024 routes are too many; there is room for 1023/,
  ],
  [
    "too many policy routes",
    expose({ policyRoutes: many(1025, () => "").map(() => ({ protocol: "tcp" })) }),
    /^policyRoutes: 1025 policy routes are too many/,
  ],
  [
    "policy routes with too many routes together",
    expose({ policyRoutes: [{ routes: routes(600) }, { protocol: "tcp", routes: routes(600) }] }),
    /^policyRoutes: 1200 routes of policy routes are too many/,
  ],
  ["128 labels", connect({ labels: labels(128) }), /^labels: 128 labels are too many; there is room for 127/],
  ["128 labels of an endpoint", expose({ labels: labels(128) }), /^labels: 128 labels are too many/],
  [
    "a label longer than Kubernetes allows",
    connect({ labels: { a: "x".repeat(64) } }),
    /^labels\.a: "x{60}…" does not fit: use 1-63 letters/,
  ],
  [
    "a label's name longer than Kubernetes allows",
    connect({ labels: { ["x".repeat(64)]: "" } }),
    /^labels\.x{64}: use 1-63 letters/,
  ],
  [
    "a label's name longer than an agent accepts",
    connect({ labels: { [`${many(4, () => "x".repeat(60)).join(".")}/${"x".repeat(63)}`]: "" } }),
    /: a label's name of 307 characters is too long; 256 are allowed/,
  ],
  [
    "a label's name in the address of the service",
    connect({ service: `kernel://db?${"x".repeat(257)}=1` }),
    /^labels\.x{257}: a label's name of 257 characters is too long; 256 are allowed/,
  ],
  [
    "labels that no registry accepts",
    expose({ services: many(4, (i) => `s${i}`), labels: labels(127, "x".repeat(50), "x".repeat(63)) }),
    /^labels: registries accept 57344 bytes, and this has [67][0-9]{4}/,
  ],
  ["an endpoint's name", connect({ endpoint: "x".repeat(257) }), /^endpoint: .* at most 256 characters/],
  [
    "excluded prefixes without end",
    connect({ excludedPrefixes: routes(1025) }),
    /^excludedPrefixes: 1025 prefixes are too many/,
  ],
];

for (const [what, document, message] of wrong) {
  test(`${what}: refused with its place, in a lab as by an agent`, () => {
    const problems = problemsOf(document);
    assert.ok(
      problems.some((problem) => message.test(problem)),
      problems.join("\n") || "no problem was reported",
    );
  });
}

for (const pools of [
  ["240.0.0.0/4"],
  ["255.255.255.252/30"],
  ["0.1.0.0/16"],
  ["169.254.0.0/16"],
  ["10.0.0.0/31", "fd00::/127"],
  [["10.0.0.0/31", "10.0.0.2/31"], "2000::/3"],
]) {
  test(`the pools ${JSON.stringify(pools)} are accepted`, () =>
    assert.deepEqual(problemsOf(expose({ pools })), []));
}

test("a next hop that fits addresses from elsewhere is accepted", () => {
  const routes = { client: [{ to: "fd00::/8", via: "fd99::1" }] };
  assert.deepEqual(problemsOf(expose({ routes })), []);
  assert.deepEqual(problemsOf(expose({ pools: [pool], addressPolicy: "polite", routes })), []);
});

test("a label with half a surrogate pair is refused with its line", () => {
  const text =
    'apiVersion: netloom.dev/v1alpha1\nkind: NetworkServiceProvider\nmetadata: { name: sur, labels: { site: "\\uD800x" } }\nspec:\n  workload: { pid: 1 }\n  services: [sur]\n';
  const result = DOCUMENTS.parse(text, "x.yaml");
  assert.ok(!result.ok);
  assert.deepEqual(
    result.problems.map(({ line, column, message }) => [line, column, message]),
    [[3, 40, '"\\ud800x" contains half a character (a lone surrogate), which is not valid text; remove it']],
  );
  const inLab = parseLab(
    'apiVersion: netloom.dev/v1alpha1\nkind: Lab\nmetadata: { name: lab }\nspec:\n  hosts: { "\\uDC00": {} }\n',
    "x.yaml",
  );
  assert.ok(!inLab.ok);
  assert.match(inLab.problems[0]?.message ?? "", /lone surrogate/);
});

test("two devices with the same name in one workload are refused with their line", () => {
  const documents = [connect({ interface: "eth1" }), connect({ interface: "eth1" }, "other")];
  const text = documents.map((each) => stringify(each)).join("---\n");
  const result = DOCUMENTS.parse(text, "x.yaml");
  assert.ok(!result.ok);
  const line = text.split("\n").findLastIndex((each) => each === "  interface: eth1") + 1;
  assert.deepEqual(
    result.problems.map((problem) => [problem.line, problem.path]),
    [[line, "spec.interface"]],
  );
  assert.match(
    result.problems[0]?.message ?? "",
    /^NetworkServiceClient web has the interface "eth1" of the same workload/,
  );
});

test("agents on three hosts need a router, and the refusal names it; two need a link", () => {
  const mesh = (hosts: string, rest: string): string[] => {
    const result = parseLab(
      `apiVersion: netloom.dev/v1alpha1\nkind: Lab\nmetadata: { name: lab }\nspec:\n  agents: true\n  hosts: ${hosts}\n  ${rest}\n`,
      "x.yaml",
    );
    return result.ok ? [] : result.problems.map(({ message }) => message);
  };
  assert.deepEqual(mesh("{ a: , b: }", "links: [[a, b]]"), []);
  const [first, ...others] = mesh("{ a: , b: , c: }", "links: [[a, b], [b, c], [a, c]]");
  assert.equal(others.length, 2);
  assert.match(
    first ?? "",
    /^a has no address that b, c reach; link all of them to a router: hosts do not forward/,
  );
  assert.deepEqual(mesh("{ a: , b: , c: }", "routers: [r]\n  links: [[a, r], [b, r], [c, r]]"), []);
  const [unfit] = mesh("{ a: , b: }", "links: [{ ends: [a, b], subnets: [169.254.7.0/24] }]");
  assert.match(
    unfit ?? "",
    /^the address of a, 169\.254\.7\.1, is a link-local address: no tunnel can end there/,
  );
  assert.match(
    mesh("{ a: , b: }", "links: [{ ends: [a, b], subnets: [127.0.7.0/24] }]").join(" "),
    /127\.0\.7\.0\/24" is not for interfaces/,
  );
});

test("a lab's wires are checked by the rules of forwarders, with the place in the file", () => {
  const lab = (part: Document): string =>
    labText("lab", {
      hosts: { alpha: { workloads: ["a", "b"] } },
      wires: [{ client: "alpha/a", endpoint: "alpha/b", ...part }],
    });
  for (const [part, message] of [
    [{ addresses: "ipv4", routes: { client: ["fd00::/8"] } }, /^spec\.routes\.client\[0\]: .*no source/],
    [
      { routes: { endpoint: [{ to: "10.0.0.0/8", via: "192.168.0.1" }] } },
      /^spec\.routes\.endpoint\[0\]\.via: .*no network of the wire/,
    ],
    [{ addresses: "ipv4", policyRoutes: [{ from: "fd00::/8" }] }, /^spec\.policyRoutes\[0\]\.from: /],
    [{ routes: { client: routes(1100) } }, /^spec\.routes\.client: 1100 routes/],
  ] as const) {
    const result = parseLab(lab(part), "x.yaml");
    assert.ok(!result.ok, JSON.stringify(part));
    const [first] = result.problems;
    assert.match(`${first?.path}: ${first?.message}`, message);
    assert.equal(result.problems.length, 1);
  }
});

test("a mistake does not hide mistakes in other parts of the document or the file", () => {
  assert.deepEqual(
    problemsOf(
      expose({
        services: [""],
        pools: [pool],
        routes: { client: [{ to: "10.0.0.0/8", via: "192.168.0.1" }] },
      }),
    ).map((problem) => problem.split(": ")[0]),
    ["services[0]", "routes.client[0].via"],
  );
  const inLab = parseLab(
    labText("lab", {
      hosts: { alpha: { workloads: ["a", "b"] } },
      wires: [
        { client: "alpha/nobody", endpoint: "alpha/a", routes: { client: ["10.0.0.0"] } },
        {
          client: "alpha/a",
          endpoint: "alpha/b",
          routes: { client: [{ to: "10.0.0.0/8", via: "192.168.0.1" }] },
        },
      ],
    }),
    "x.yaml",
  );
  assert.ok(!inLab.ok);
  assert.deepEqual(
    inLab.problems.map(({ path }) => path),
    ["spec.client", "spec.routes.client[0]", "spec.routes.client[0].via"],
  );
});
