import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parseKeptLab, parseLab } from "./parse.ts";
import { formatProblem, FileError } from "../../text/problem.ts";
import { mustParseLab } from "./parse.ts";
import { wireTexts } from "../../../fixtures/documents/documents.ts";

/**
 * A lab file. Lines 1-7 are valid. The lines under test begin on line 8, indented by two columns. Each wire takes five lines
 * more, and the last one holds its spec.
 */
function inLab(rest: string, wires: readonly string[] = []): string {
  return `apiVersion: netloom.dev/v1alpha1\nkind: Lab\nmetadata: { name: lab }\nspec:\n  hosts:\n    alpha: { workloads: [web, db] }\n    beta: { workloads: [app] }\n${rest.replace(/^(?=.)/gm, "  ")}${wireTexts(wires)}`;
}

/** Texts, and all problems reported for them. */
const wrong: readonly (readonly [string, readonly string[]])[] = [
  ["", ["1:1: the file is empty"]],
  ["- a", ["1:1: expected a map, got a list of one"]],
  [
    "name: [",
    ["1:8: not YAML: flow sequence in block collection must be sufficiently indented and end with a ]"],
  ],
  [
    "a: 1\na: 2",
    [
      "1:1: the file has no Lab: write apiVersion: netloom.dev/v1alpha1 and kind: Lab",
      '2:1: the key "a" appears twice (first on line 1); rename or remove one',
    ],
  ],
  [
    "apiVersion: netloom.dev/v1alpha1\nkind: Lab\nmetadata: { name: lab }\nspec:\n  hosts: {}",
    ["5:10: spec.hosts: name at least one host"],
  ],
  [
    "apiVersion: netloom.dev/v1alpha1\nkind: Lab\nmetadata: { name: My-Lab }\nspec:\n  hosts:\n    alpha:\n",
    ['3:19: metadata.name: "My-Lab" does not fit: use 1-12 lower-case letters and digits, a letter first'],
  ],
  [
    "apiVersion: netloom.dev/v1alpha1\nkind: Lab\nmetadata: { name: 12 }\nspec:\n  hosts: [alpha]",
    [
      "3:19: metadata.name: expected text, got 12; put it in quotes",
      "5:10: spec.hosts: expected a map, got a list of one",
    ],
  ],
  [inLab("linkz: []"), ['8:3: spec.linkz: unknown key; did you mean "links"?']],
  [
    `${inLab("", ["{ client: alpha/web, endpoint: alpha/db }"])}---\nkind: Wier\n---\nkind: NetworkService\n`,
    [
      '14:7: kind: unknown kind "Wier"; did you mean "Wire"?',
      "16:7: kind: this document is for an agent; name the hosts with an agent: agents: true",
    ],
  ],
  [
    inLab("agents: true\n", ["{ client: alpha/web, endpoint: alpha/db }"]),
    [
      "11:7: kind: agents make the wires of this lab; write a NetworkServiceProvider and a NetworkServiceClient instead",
    ],
  ],
  [
    inLab("wires: []\n", [
      "{ client: alpha/web, endpoint: alpha/db }",
      "{ client: alpha/web/x, endpoint: alpha/db/x }",
    ]).replace("wire-1", "wire-0"),
    [
      "8:3: spec.wires: unknown key; known here: hosts, routers, links, registry, store, agents, hostWorkloads",
      '17:19: metadata.name: the wire "wire-0" appears twice; rename or remove one',
    ],
  ],
  [inLab("links: 7"), ["8:10: spec.links: expected a list, got 7"]],
  [
    inLab("links:\n  - [alpha]\n  - alpha\n  - {ends: [alpha, beta], rat: 1mbit, mtu: big}\n"),
    [
      "9:7: spec.links[0]: expected exactly two ends",
      '10:7: spec.links[1]: expected a list of two ends such as [alpha, beta], or a map, got "alpha"',
      '11:29: spec.links[2].rat: unknown key; did you mean "rate"?',
      '11:46: spec.links[2].mtu: expected a number, got "big"',
    ],
  ],
  [
    inLab("links:\n  - [alpha, alpha]\n  - [alpha, btea]\n  - [alpha, beta]\n  - [beta, alpha]\n"),
    [
      '9:7: spec.links[0]: both ends are "alpha"; a link joins two nodes',
      '10:15: spec.links[1][1]: unknown host or router "btea"; did you mean "beta"?',
      "12:7: spec.links[3]: beta and alpha are linked already; remove one of the two links",
    ],
  ],
  [
    inLab("links:\n  - {ends: [alpha, beta], subnets: [10.0.0.1/24, 10.0.0.0/24, fd00::/128, 1.2.3]}\n"),
    ["9:38: spec.links[0].subnets: at most one subnet of each family"],
  ],
  [
    inLab("links:\n  - {ends: [alpha, beta], rate: 10mb, delay: 5, loss: 200%}\n"),
    [
      '9:35: spec.links[0].rate: "10mb" does not fit: write a rate such as 100mbit (bit, kbit, mbit or gbit)',
      "9:48: spec.links[0].delay: expected text, got 5; put it in quotes",
      '9:57: spec.links[0].loss: "200%" does not fit: at most 100%',
    ],
  ],
  [
    inLab("links:\n  - {ends: [alpha, beta], rate: 10mbit, delay: 5ms}\n"),
    [
      "9:35: spec.links[0].rate: a link has a rate or a delay and loss, not both; put a router in between and give each of its links one",
    ],
  ],
  [
    inLab("links:\n  - {ends: [alpha, beta], mtu: 1000}\n"),
    [
      "9:34: spec.links[0].mtu: 1000 bytes do not fit: IPv6 needs an MTU of 1280 or more; raise it, or give the link only an IPv4 subnet",
    ],
  ],
  [
    inLab(
      "routers: [r1, alpha, r1]\nlinks:\n  - {ends: [alpha, r1], subnets: [10.0.0.0/24]}\n  - {ends: [beta, r1], subnets: [10.0.0.128/25]}\n",
    ),
    [
      '8:17: spec.routers[1]: a host "alpha" exists already; give the router another name',
      '8:24: spec.routers[2]: the router "r1" appears twice; rename or remove one',
      "11:36: spec.links[1].subnets[0]: 10.0.0.128/25 overlaps 10.0.0.0/24 of the link alpha-r1",
    ],
  ],
  [
    inLab("links:\n  - {ends: [alpha, beta], addresses: {alpha: [10.0.9.1/24], gamma: [10.0.9.2/24]}}\n"),
    [
      '9:40: spec.links[0].addresses: the addresses of "beta" are missing',
      "9:49: spec.links[0].addresses.alpha[0]: no address of the other end is in 10.0.9.0/24; both ends need one",
      '9:63: spec.links[0].addresses.gamma: unknown end "gamma"; known are alpha, beta',
    ],
  ],
  [
    inLab("links:\n  - {ends: [alpha, beta], addresses: {alpha: [10.0.0.1/24], beta: [10.0.1.2/24]}}\n"),
    [
      "9:49: spec.links[0].addresses.alpha[0]: no address of the other end is in 10.0.0.0/24; both ends need one",
      "9:70: spec.links[0].addresses.beta[0]: no address of the other end is in 10.0.1.0/24; both ends need one",
    ],
  ],
  [
    inLab("", ["{client: alpha/web, endpoint: beta/app}"]),
    ["12:7: spec: no path from alpha to beta; add a link between them, or links over a router"],
  ],
  [
    inLab("", [
      "{client: alpha/wbe, endpoint: bta/app}",
      "{client: alpha/web}",
      "{client: alpha, endpoint: alpha/db/aaaaaaaaaaaaaaaa}",
    ]),
    [
      '12:16: spec.client: unknown workload of alpha "wbe"; did you mean "web"?',
      '12:37: spec.endpoint: unknown host "bta"; did you mean "beta"?',
      "17:7: spec.endpoint: is missing",
      '22:16: spec.client: "alpha" does not fit: write host/workload or host/workload/interface',
      '22:33: spec.endpoint: the interface name "aaaaaaaaaaaaaaaa" has 16 bytes; Linux takes 15',
    ],
  ],
  [
    inLab("", [
      "{client: alpha/web/nl-1, endpoint: alpha/db/nl-1}",
      "{client: alpha/web/nl-1, endpoint: alpha/db/nl-2}",
    ]),
    [
      '17:16: spec.client: the interface "nl-1" of alpha/web is taken by the wire "wire-0"; choose another name',
    ],
  ],
  [
    inLab("", ["{client: alpha/web, endpoint: alpha/db, vni: 3, underlay: ipv5, addresses: both}"]),
    [
      "12:52: spec.vni: both sides are on alpha: a wire within a host has no tunnel; remove this",
      '12:65: spec.underlay: expected "ipv4" or "ipv6", got "ipv5"; did you mean "ipv4"?',
      '12:82: spec.addresses: expected one of "ipv4", "ipv6" or "dual", or a map, got "both"',
    ],
  ],
  [
    inLab("links:\n  - [alpha, beta]\n", [
      "{client: alpha/web, endpoint: beta/app, vni: 7}",
      "{client: alpha/db, endpoint: beta/app, vni: 7}",
      "{client: alpha/db/x, endpoint: beta/app, vni: 0, mtu: 1500}",
    ]),
    [
      '19:51: spec.vni: the VNI 7 is taken by the wire "wire-0"; choose another, or leave it out',
      "24:53: spec.vni: VNIs start at 1, not 0",
      "24:61: spec.mtu: 1500 bytes do not fit: the path from alpha to beta carries 1500 bytes, which leaves 1446 inside VXLAN over IPv4; lower it, or raise the MTU of the links",
    ],
  ],
  [
    inLab("links:\n  - [alpha, beta]\n", [
      "{client: alpha/web, endpoint: beta/app, mtu: 1500}",
      "{client: alpha/web, endpoint: beta/app, mtu: 1000}",
    ]),
    [
      "14:52: spec.mtu: 1500 bytes do not fit: the path from alpha to beta carries 1500 bytes, which leaves 1446 inside VXLAN over IPv4; lower it, or raise the MTU of the links",
      "19:52: spec.mtu: 1000 bytes do not fit: IPv6 needs an MTU of 1280 or more; raise it, or set addresses to ipv4",
    ],
  ],
  [
    inLab("links:\n  - [alpha, beta]\n", [
      "{client: alpha/web, endpoint: beta/app, addresses: {client: [10.0.0.1/24, 10.1.0.1], endpoint: [10.1.0.1, 'fd00::1', x]}}",
    ]),
    [
      "14:67: spec.addresses.client: the client has no IPv6 address, the other side has one; both need one",
      '14:68: spec.addresses.client[0]: "10.0.0.1/24": a wire is point to point; write the address without a prefix length',
      '14:103: spec.addresses.endpoint[0]: "10.1.0.1" is given twice on this wire; each side needs addresses of its own',
      '14:124: spec.addresses.endpoint[2]: "x" is not an address such as 10.0.0.1 or fd00::1',
    ],
  ],
  [
    inLab("links:\n  - [alpha, beta]\n", [
      "{client: alpha/web, endpoint: beta/app, addresses: {client: [10.1.0.1], endpoint: [10.1.0.2]}}",
      "{client: alpha/web, endpoint: beta/app, addresses: {client: [10.1.0.3], endpoint: [10.1.0.2]}}",
    ]),
    [
      '19:58: spec.addresses: in alpha/web the address 10.1.0.2 overlaps an address of the wire "wire-0"; choose another address',
    ],
  ],
  [
    inLab("links:\n  - [alpha, beta]\n", [
      "{client: alpha/web, endpoint: beta/app, addresses: ipv4, routes: {client: [10.9.0.0/16, 10.9.0.0/16, 'fd00::/8', {to: 10.8.0.0/16, via: x}], server: []}, policyRoutes: [{sourcePorts: 80, protocol: tcp}, {destinationPorts: '80'}]}",
    ]),
    [
      "14:148: spec.routes.server: unknown key; known here: client, endpoint",
      "14:229: spec.policyRoutes[1].destinationPorts: ports need the protocol tcp, udp or sctp",
    ],
  ],
  [
    "apiVersion: netloom.dev/v1alpha1\nkind: Lab\nmetadata: { name: lab }\nspec:\n  hosts:\n    alpha: &a {workloads: [x]}\n    beta: *a\n    ? [x]\n    : 1\n",
    ["8:7: a key has to be plain text, not a list, a map or an alias"],
  ],
  [
    "apiVersion: netloom.dev/v1alpha1\nkind: Lab\nmetadata: { name: lab }\nspec:\n  hosts: *nix\n",
    ["5:10: the alias *nix has no anchor before it"],
  ],
  [
    "apiVersion: netloom.dev/v1alpha1\nkind: Lab\nmetadata: { name: lab }\nspec:\n  hosts:\n    __proto__: {}\n    a: {workload: [a]}\n",
    ['6:5: the key "__proto__" cannot be used'],
  ],
  [
    "apiVersion: netloom.dev/v1alpha1\nkind: Lab\nmetadata: { name: lab }\nspec:\n  hosts:\n    a: {workloads: [b, b, B!]}\n    a: {}\n",
    ['7:5: the key "a" appears twice (first on line 6); rename or remove one'],
  ],
  [
    "apiVersion: netloom.dev/v1alpha1\nkind: Lab\nmetadata: { name: !foo lab }\nspec:\n  hosts: {a: }\n",
    ["3:19: not YAML: unresolved tag: !foo"],
  ],
  [`${inLab("")}---\n${inLab("")}`, ["10:7: kind: a file holds one Lab"]],
  [
    "name: a\nhosts: { a: }\n",
    ["1:1: this is a lab of release 0.1.0; netloom migrate FILE converts the file"],
  ],
  [
    inLab("").replace("v1alpha1", "v2"),
    ['1:13: apiVersion: expected "netloom.dev/v1alpha1", got "netloom.dev/v2"'],
  ],
  [
    inLab("links:\n  - {ends: [alpha, beta], subnets: [10.0.0.0/24]}\n", [
      "{client: alpha/web, endpoint: beta/app, underlay: ipv6}",
    ]),
    ["14:7: spec: no IPv6 path from alpha to beta; add a link between them, or links over a router"],
  ],
  [
    "apiVersion: netloom.dev/v1alpha1\nkind: Lab\nmetadata: { name: labs }\nspec:\n  hosts: 3\n  links: [[a, b]]\n",
    [
      "5:10: spec.hosts: expected a map, got 3",
      '6:12: spec.links[0][0]: unknown host or router "a"',
      '6:15: spec.links[0][1]: unknown host or router "b"',
    ],
  ],
  [
    inLab("links:\n  - [alpha, beta]\n", [
      "{client: alpha/web/lo, endpoint: 'beta/app/a b'}",
      "{client: alpha/web/x, endpoint: alpha/web/y}",
    ]),
    [
      '14:16: spec.client: the interface name "lo" is a word that Linux keeps for itself',
      "14:40: spec.endpoint: the interface name \"a b\" holds a character that Linux does not take (white space, '/', ':' or '%')",
      "19:39: spec.endpoint: both sides are in alpha/web; a wire joins two workloads",
    ],
  ],
  [
    inLab("links:\n  - {ends: [alpha, beta], subnets: [127.0.0.0/8, '10.0.0.0'], addresses: {}}\n"),
    [
      '9:39: spec.links[0].subnets[0]: "127.0.0.0/8" is not for interfaces; take a private range such as 10.0.0.0/8 or fd00::/8',
      '9:52: spec.links[0].subnets[1]: "10.0.0.0" is not a prefix such as 10.0.0.0/24 or fd00::/64; the prefix length is missing',
      "9:76: spec.links[0].addresses: write either subnets or addresses, not both",
    ],
  ],
  [
    inLab("links:\n  - {ends: [alpha, beta], subnets: ['ff00::/8', 10.0.0.0/32]}\n"),
    [
      '9:39: spec.links[0].subnets[0]: "ff00::/8" is not for interfaces; take a private range such as 10.0.0.0/8 or fd00::/8',
      '9:51: spec.links[0].subnets[1]: "10.0.0.0/32" has no room for two addresses',
    ],
  ],
  [
    inLab(
      "links:\n  - {ends: [alpha, beta], addresses: {alpha: [10.0.0.0/24, 10.0.0.255/24, 10.0.0.1/24], beta: [10.0.0.1/24, 'fe80::1/64', 10.0.0.2]}}\n",
    ),
    [
      '9:49: spec.links[0].addresses.alpha[0]: "10.0.0.0/24" is the address of the subnet itself; take the next one',
      '9:62: spec.links[0].addresses.alpha[1]: "10.0.0.255/24" is the broadcast address of its subnet',
      '9:98: spec.links[0].addresses.beta[0]: "10.0.0.1/24" is given twice on this link',
      '9:111: spec.links[0].addresses.beta[1]: "fe80::1/64" is a link-local address, which no interface can have here',
      '9:125: spec.links[0].addresses.beta[2]: "10.0.0.2" is not an address with prefix length such as 10.0.0.1/24 or fd00::1/64; the prefix length is missing',
    ],
  ],
  [
    inLab("links:\n  - {ends: [alpha, beta], mtu: 1300}\n", ["{client: alpha/web, endpoint: beta/app}"]),
    [
      "14:7: spec: IPv6 does not fit: it needs an MTU of 1280, but the path from alpha to beta carries 1300 bytes, which leaves 1246 inside VXLAN over IPv4; raise the MTU of the links, or set addresses to ipv4",
    ],
  ],
];

for (const [text, sentences] of wrong) {
  test(`reports all problems of ${JSON.stringify(text.replace(inLab(""), "…"))}`, () => {
    const result = parseLab(text, "x.yaml");
    assert.ok(!result.ok);
    assert.deepEqual(
      result.problems.map(formatProblem),
      sentences.map((sentence) => `x.yaml:${sentence}`),
    );
  });
}

test("the smallest useful lab is a Lab and a Wire, and has every default", () => {
  const text = readFileSync(new URL("../../../examples/first.yaml", import.meta.url), "utf8");
  const lab = mustParseLab(text, "first.yaml");
  assert.equal(lab.links[0]?.mtuBytes, 1500);
  assert.deepEqual(
    lab.wires.map((wire) => [
      wire.client.interface,
      wire.endpoint.interface,
      wire.tunnel?.family,
      wire.client.addresses.length,
    ]),
    [["server", "client", 4, 2]],
  );
});

test("addresses, VNIs and interface names depend on names alone: adding or removing a wire changes no other", () => {
  const wires = ["alpha/web → beta/app", "alpha/db → beta/app", "alpha/web → alpha/db"].map((text) => {
    const [client, endpoint] = text.split(" → ");
    return `{ client: ${client}, endpoint: ${endpoint} }`;
  });
  const parse = (some: readonly string[]) =>
    mustParseLab(inLab("links:\n  - [alpha, beta]\n", some), "x.yaml").wires;
  const all = parse(wires);
  assert.deepEqual(parse([wires[2] ?? "", wires[0] ?? ""]), [all[2], all[0]]);
});

test("chosen addresses and VNIs do not collide with written ones", () => {
  const links = "links:\n  - [alpha, beta]\n";
  const wire = "{ client: alpha/web, endpoint: beta/app }";
  const free = mustParseLab(inLab(links, [wire]), "x.yaml").wires[0];
  assert.ok(free);
  const [own, peer] = [free.client.addresses[0], free.endpoint.addresses[0]];
  const taken = `{ client: alpha/db, endpoint: beta/app, vni: ${free.tunnel?.id}, addresses: { client: [${own}], endpoint: [${peer}] } }`;
  const [moved, fixed] = mustParseLab(inLab(links, [wire, taken]), "x.yaml").wires;
  assert.deepEqual([fixed?.tunnel?.id, fixed?.client.addresses], [free.tunnel?.id, [own]]);
  assert.notEqual(moved?.tunnel?.id, free.tunnel?.id);
  assert.notEqual(moved?.client.addresses[0], own);
});

test("the error for a wrong file has one line for each problem, and a hint", () => {
  assert.throws(
    () => mustParseLab(inLab("linkz: []\nlinks: 7"), "x.yaml"),
    (error: unknown) =>
      error instanceof FileError && error.message.split("\n").length === 2 && error.hint !== undefined,
  );
});

test("text from a file cannot control a terminal", () => {
  const result = parseLab(
    'apiVersion: netloom.dev/v1alpha1\nkind: Lab\nmetadata: { name: "\\u001b[2J\\u202e\\u009b" }\nspec:\n  hosts: {a: }\n',
    "x.yaml",
  );
  assert.ok(!result.ok);
  assert.match(result.problems.map(formatProblem).join(""), /^[\x20-\x7e…]+$/);
});

test("the file of a lab that is up may be one of release 0.1.0, and no other file may", () => {
  const former = "name: lab\nhosts:\n  alpha: { workloads: [web] }\n";
  assert.equal(parseLab(former, "lab.yaml").ok, false);
  const kept = parseKeptLab(former, "lab.yaml");
  assert.ok(kept.ok);
  assert.deepEqual(parseKeptLab(inLab(""), "lab.yaml"), parseLab(inLab(""), "lab.yaml"));
});
